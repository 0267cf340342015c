// Package exactmath has the transcendental functions that recordings are made
// with. They give the same bits on every processor, so that a retry on another
// machine writes the same bytes.
//
// Those of package math don't: on some processors they are written in assembly,
// and elsewhere the compiler may fuse a multiplication with an addition, which
// rounds once instead of twice. What is here consists of additions,
// multiplications and divisions, which IEEE 754 defines to the bit, and every
// product is converted to its own type, which forbids fusing (The Go Programming
// Language Specification, "Floating-point operators"). Of math, what is exact is
// used: [math.Sqrt], roundings, absolute values, Frexp and Ldexp, the bits of
// numbers.
//
// Everything that feeds the bytes of a recording is written like that. Two tests
// of this package see to it, for all packages below recording: one compiles them
// for processors that can fuse and looks for such instructions, the other one
// looks for functions of math that aren't exact.
package exactmath
