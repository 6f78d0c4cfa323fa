// Package mediatest makes sources for tests with the real ffmpeg and reads
// back what they show: a frame number burned into every picture as a bar
// code, a flash and a beep at the same moment. It is for tests only.
package mediatest
