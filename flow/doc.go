// Package flow is the oldest way to keep a slow device and a fast processor
// busy at once: put a queue between them.
//
// One task waits (for a network, for a disk), another one computes. Done in
// turn, each stands still while the other works. Joined by a bounded queue,
// the first one fetches the next item while the second one works on this one:
//
//	err := flow.Run(ctx, func(g *flow.Group) {
//		items := flow.NewQueue[Item](2)
//		flow.Produce(g, 1, items, fetchAll)
//		flow.Consume(g, 4, items, handle)
//	})
//
// There are three things in the package:
//
//   - [Queue] is bounded. A producer that is ahead waits in Put, so memory and
//     disk stay small; a consumer that is ahead waits in Take.
//   - [Slots] limit how many tasks use one resource at a time, first come,
//     first served, and the limit may change while they work.
//   - [Run] starts the tasks of a [Group], waits for every one of them and
//     returns the first error. That error ends the context of all the others,
//     so nobody waits for an item that will never come.
//
// [Produce], [Pipe] and [Consume] are the three places that a task can have in
// a pipeline: its beginning, its middle and its end. They close a queue when,
// and only when, everything that was to be put into it is in it. So whoever
// finds a queue closed has seen all of it, and a failure never looks like an
// end.
//
// The package imports the standard library only.
package flow
