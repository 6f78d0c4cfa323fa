// Package spool holds the words of Spool: the nouns that every other package
// speaks in, and nothing that does work.
//
// A video is one thing to publish to one destination. It has a source, facts
// found by probing it, and a plan: a timeline, a ladder of rungs, a grid of
// segments, and the chunks and audio pieces in which the encoders make them.
// Jobs carry one piece of that work each; the ledger holds what is true of
// them, and a queue carries jobs out and reports back.
//
// The package imports the standard library only.
package spool
