// Package metrics counts what a process does, in the form that Prometheus
// reads. Every label has few values, whatever is handed in: no IDs, addresses
// or titles. A nil *Metrics counts nothing, so that who is counted need not ask
// whether anybody wants to know.
package metrics

import (
	"net/http"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/spool-video/spool"
)

// Metrics are those of one process. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	standing *standing

	stageTook, storeTook, httpTook, callbackTook *prometheus.HistogramVec
	attempts, leases, callbacks                  *prometheus.CounterVec
	sourceBytes, mediaSeconds, frames            *prometheus.CounterVec
	objects, bytes                               *prometheus.CounterVec
	slots                                        *prometheus.GaugeVec
}

// The buckets of histograms, seconds: of jobs, which may last for hours, and of
// requests.
var (
	ofJobs     = []float64{0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800, 3600, 4 * 3600, 12 * 3600}
	ofRequests = []float64{0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 15, 60, 300}
)

// New makes the metrics of a process. version is the program's.
func New(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), standing: newStanding(),
		stageTook:    histogram("spool_stage_duration_seconds", "How long jobs took that ran here.", ofJobs, "stage", "outcome"),
		storeTook:    histogram("spool_store_request_duration_seconds", "How long a store took to answer.", ofRequests, "store", "op"),
		httpTook:     histogram("http_request_duration_seconds", "How long requests to this process took.", ofRequests, "route", "method", "code"),
		callbackTook: histogram("spool_webhook_delivery_duration_seconds", "How long receivers of callbacks took to answer.", ofRequests),
		attempts:     counter("spool_stage_attempts_total", "Jobs that ended here.", "stage", "outcome", "error_class"),
		leases:       counter("spool_lease_lost_total", "Jobs that were taken back from workers that fell silent.", "stage"),
		callbacks:    counter("spool_webhook_deliveries_total", "Tries to deliver a callback.", "event", "outcome"),
		sourceBytes:  counter("spool_source_bytes_total", "Bytes of sources that were fetched here.", "kind"),
		mediaSeconds: counter("spool_encode_media_seconds_total", "Media that were made here, by their length.", "rung", "encoder"),
		frames:       counter("spool_encode_frames_total", "Frames that were made here.", "rung"),
		objects:      counter("spool_publish_objects_total", "Objects that were put into a store.", "store", "outcome"),
		bytes:        counter("spool_publish_bytes_total", "Bytes that were put into a store.", "store"),
		slots: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "spool_stage_slots", Help: "Jobs that run here, and how many more would be taken.",
		}, []string{"stage", "state"}),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "spool_build_info", Help: "The program: always 1.",
	}, []string{"version", "revision"})
	build.WithLabelValues(version, revision()).Set(1)
	m.registry.MustRegister(
		build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), m.standing,
		m.stageTook, m.storeTook, m.httpTook, m.callbackTook, m.attempts, m.leases, m.callbacks,
		m.sourceBytes, m.mediaSeconds, m.frames, m.objects, m.bytes, m.slots,
	)
	return m
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// revision is the commit that the program was built from, as far as the build
// knows it.
func revision() string {
	info, _ := debug.ReadBuildInfo()
	if info != nil {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}

// Handler answers scrapes.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Began notes that a job runs here; the function that it gives, that it has
// ended: how, and with which class of error, if any.
func (m *Metrics) Began(stage spool.Kind) func(o spool.Outcome, class spool.Class) {
	if m == nil {
		return func(spool.Outcome, spool.Class) {}
	}
	began, busy := time.Now(), m.slots.WithLabelValues(string(stage), "busy")
	busy.Inc()
	return func(o spool.Outcome, class spool.Class) {
		busy.Dec()
		m.stageTook.WithLabelValues(string(stage), string(o)).Observe(time.Since(began).Seconds())
		m.attempts.WithLabelValues(string(stage), string(o), string(class)).Inc()
	}
}

// Free notes how many more jobs of a stage would be taken here.
func (m *Metrics) Free(stage spool.Kind, n int) {
	if m != nil {
		m.slots.WithLabelValues(string(stage), "free").Set(float64(max(n, 0)))
	}
}

// Lost notes a job that was taken back from a worker that fell silent.
func (m *Metrics) Lost(stage spool.Kind) {
	if m != nil {
		m.leases.WithLabelValues(string(stage)).Inc()
	}
}

// Called notes a try to deliver a callback.
func (m *Metrics) Called(event, outcome string, took time.Duration) {
	if m != nil {
		m.callbacks.WithLabelValues(event, outcome).Inc()
		m.callbackTook.WithLabelValues().Observe(took.Seconds())
	}
}

// Asked notes a request to a store.
func (m *Metrics) Asked(store, op string, took time.Duration) {
	if m != nil {
		m.storeTook.WithLabelValues(store, op).Observe(took.Seconds())
	}
}

// Put notes an object that was put into a store, of so many bytes.
func (m *Metrics) Put(store string, bytes int64, err error) {
	if m == nil {
		return
	}
	if err != nil {
		m.objects.WithLabelValues(store, "failed").Inc()
		return
	}
	m.objects.WithLabelValues(store, "done").Inc()
	m.bytes.WithLabelValues(store).Add(float64(bytes))
}
