//go:build !purego

package mp3

import "golang.org/x/sys/cpu"

// hasVector is whether the processor and the system have AVX.
var hasVector = cpu.X86.HasAVX

// windowAVX is window with AVX, to the bit.
//
//go:noescape
func windowAVX(y *[64]float32, x *[512]float32, w *[8][64]float32)
