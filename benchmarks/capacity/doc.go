// Package capacity measures what one call and one recording take, in all the parts that must
// be paid for: the figures that switchtape capacity counts with.
package capacity
