//go:build !purego

#include "textflag.h"

// The inner loops of kernels.go with AVX2, to the bit. Multiplications and
// additions are never fused, and sums are made in the plain loops' order.

// func dot4AVX(out *[4]float32, x, c *float32, q *quad, n int)
//
// Y0 to Y3 hold the eight sums of one product each.
TEXT ·dot4AVX(SB), NOSPLIT, $0-40
	MOVQ x+8(FP), SI
	MOVQ c+16(FP), DI
	MOVQ q+24(FP), BX
	MOVQ n+32(FP), DX
	MOVQ 0(BX), AX
	LEAQ (SI)(AX*4), R8
	MOVQ 8(BX), AX
	LEAQ (SI)(AX*4), R9
	MOVQ 16(BX), AX
	LEAQ (SI)(AX*4), R10
	MOVQ 24(BX), AX
	LEAQ (SI)(AX*4), R11
	MOVQ 32(BX), AX
	LEAQ (DI)(AX*4), R12
	MOVQ 40(BX), AX
	LEAQ (DI)(AX*4), R13
	MOVQ 48(BX), AX
	LEAQ (DI)(AX*4), SI
	MOVQ 56(BX), AX
	LEAQ (DI)(AX*4), DI
	SHLQ $2, DX
	XORQ CX, CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
dot:
	VMOVUPS (R8)(CX*1), Y4
	VMOVUPS (R9)(CX*1), Y5
	VMOVUPS (R10)(CX*1), Y6
	VMOVUPS (R11)(CX*1), Y7
	VMULPS (R12)(CX*1), Y4, Y4
	VMULPS (R13)(CX*1), Y5, Y5
	VMULPS (SI)(CX*1), Y6, Y6
	VMULPS (DI)(CX*1), Y7, Y7
	VADDPS Y4, Y0, Y0
	VADDPS Y5, Y1, Y1
	VADDPS Y6, Y2, Y2
	VADDPS Y7, Y3, Y3
	ADDQ $32, CX
	CMPQ CX, DX
	JLT  dot

	// ((s0+s1)+(s2+s3)) + ((s4+s5)+(s6+s7)) of each.
	VHADDPS Y1, Y0, Y0
	VHADDPS Y3, Y2, Y2
	VHADDPS Y2, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDPS X1, X0, X0
	MOVQ out+0(FP), AX
	VMOVUPS X0, (AX)
	VZEROUPPER
	RET

// func rowAVX(dst *float32, dstStep int, x *float32, xStep int, c *float32, n, groups int)
//
// Eight products at a time, in Y0 to Y7, with one row of coefficients.
TEXT ·rowAVX(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ dstStep+8(FP), R8
	SHLQ $2, R8
	MOVQ x+16(FP), SI
	MOVQ xStep+24(FP), DX
	SHLQ $2, DX
	MOVQ c+32(FP), BX
	MOVQ n+40(FP), CX
	LEAQ (BX)(CX*4), CX // the row's end
	MOVQ groups+48(FP), R9
group:
	MOVQ BX, R13
	MOVQ SI, R10
	LEAQ (DX)(DX*2), AX
	LEAQ (R10)(AX*1), R11
	LEAQ (R11)(AX*1), R12
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
row:
	VMOVUPS (R13), Y8
	VMULPS (R10), Y8, Y9
	VMULPS (R10)(DX*1), Y8, Y10
	VMULPS (R10)(DX*2), Y8, Y11
	VMULPS (R11), Y8, Y12
	VADDPS Y9, Y0, Y0
	VADDPS Y10, Y1, Y1
	VADDPS Y11, Y2, Y2
	VADDPS Y12, Y3, Y3
	VMULPS (R11)(DX*1), Y8, Y9
	VMULPS (R11)(DX*2), Y8, Y10
	VMULPS (R12), Y8, Y11
	VMULPS (R12)(DX*1), Y8, Y12
	VADDPS Y9, Y4, Y4
	VADDPS Y10, Y5, Y5
	VADDPS Y11, Y6, Y6
	VADDPS Y12, Y7, Y7
	ADDQ $32, R10
	ADDQ $32, R11
	ADDQ $32, R12
	ADDQ $32, R13
	CMPQ R13, CX
	JLT  row

	// ((s0+s1)+(s2+s3)) + ((s4+s5)+(s6+s7)) of each.
	VHADDPS Y1, Y0, Y0
	VHADDPS Y3, Y2, Y2
	VHADDPS Y2, Y0, Y0
	VHADDPS Y5, Y4, Y4
	VHADDPS Y7, Y6, Y6
	VHADDPS Y6, Y4, Y4
	VEXTRACTF128 $1, Y0, X1
	VEXTRACTF128 $1, Y4, X5
	VADDPS X1, X0, X0
	VADDPS X5, X4, X4
	LEAQ (R8)(R8*2), AX
	VMOVSS X0, (DI)
	VEXTRACTPS $1, X0, (DI)(R8*1)
	VEXTRACTPS $2, X0, (DI)(R8*2)
	VEXTRACTPS $3, X0, (DI)(AX*1)
	LEAQ (DI)(R8*4), DI
	VMOVSS X4, (DI)
	VEXTRACTPS $1, X4, (DI)(R8*1)
	VEXTRACTPS $2, X4, (DI)(R8*2)
	VEXTRACTPS $3, X4, (DI)(AX*1)
	LEAQ (DI)(R8*4), DI
	LEAQ (SI)(DX*8), SI
	DECQ R9
	JNZ  group
	VZEROUPPER
	RET

// func getPCM16AVX(dst *float32, src *byte, n int) (high, low int16)
TEXT ·getPCM16AVX(SB), NOSPLIT, $0-28
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	MOVL $0x38000000, AX // 1/32768
	VMOVD AX, X0
	VBROADCASTSS X0, Y0
	VPXOR Y1, Y1, Y1 // largest
	VPXOR Y2, Y2, Y2 // smallest
get:
	VMOVDQU (SI), Y3
	VPMAXSW Y3, Y1, Y1
	VPMINSW Y3, Y2, Y2
	VPMOVSXWD (SI), Y4
	VPMOVSXWD 16(SI), Y5
	VCVTDQ2PS Y4, Y4
	VCVTDQ2PS Y5, Y5
	VMULPS Y0, Y4, Y4
	VMULPS Y0, Y5, Y5
	VMOVUPS Y4, (DI)
	VMOVUPS Y5, 32(DI)
	ADDQ $32, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ  get

	// PHMINPOSUW gives the smallest unsigned word: of 0x7FFF less the largest,
	// and of the smallest plus 0x8000.
	VEXTRACTI128 $1, Y1, X3
	VPMAXSW X3, X1, X1
	VEXTRACTI128 $1, Y2, X3
	VPMINSW X3, X2, X2
	VPCMPEQW X4, X4, X4
	VPSRLW $1, X4, X5   // 0x7FFF
	VPXOR X5, X4, X4    // 0x8000
	VPSUBW X1, X5, X1
	VPHMINPOSUW X1, X1
	VMOVD X1, AX
	MOVL $0x7FFF, DX
	SUBL AX, DX
	MOVW DX, high+24(FP)
	VPXOR X4, X2, X2
	VPHMINPOSUW X2, X2
	VMOVD X2, AX
	XORL $0x8000, AX
	MOVW AX, low+26(FP)
	VZEROUPPER
	RET

// func putPCM16AVX(dst *byte, src *float32, n int) (done int)
TEXT ·putPCM16AVX(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	XORQ DX, DX
	MOVL $0x47000000, AX // 32768
	VMOVD AX, X0
	VBROADCASTSS X0, Y0
	MOVL $32768, AX
	VMOVD AX, X1
	VPBROADCASTD X1, Y1
	MOVL $0xFFFF0000, AX
	VMOVD AX, X2
	VPBROADCASTD X2, Y2
	SUBQ $16, CX // the last place to begin at
	JLT  stop
put:
	VMULPS (SI)(DX*4), Y0, Y3
	VMULPS 32(SI)(DX*4), Y0, Y4
	VCVTPS2DQ Y3, Y3 // to nearest, halves to even; 0x80000000 if there is none
	VCVTPS2DQ Y4, Y4
	VPADDD Y1, Y3, Y5
	VPADDD Y1, Y4, Y6
	VPOR Y5, Y6, Y5
	VPTEST Y2, Y5 // a bit above the 16th
	JNZ  stop
	VPACKSSDW Y4, Y3, Y3
	VPERMQ $0xD8, Y3, Y3
	VMOVDQU Y3, (DI)(DX*2)
	ADDQ $16, DX
	CMPQ DX, CX
	JLE  put
stop:
	MOVQ DX, done+24(FP)
	VZEROUPPER
	RET

// func addAVX(dst, a, b *float32, n int)
TEXT ·addAVX(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), BX
	MOVQ n+24(FP), CX
	XORQ DX, DX
sum:
	VMOVUPS (SI)(DX*4), Y0
	VMOVUPS 32(SI)(DX*4), Y1
	VADDPS (BX)(DX*4), Y0, Y0
	VADDPS 32(BX)(DX*4), Y1, Y1
	VMOVUPS Y0, (DI)(DX*4)
	VMOVUPS Y1, 32(DI)(DX*4)
	ADDQ $16, DX
	CMPQ DX, CX
	JLT  sum
	VZEROUPPER
	RET

// func exceedsAVX(s *float32, n int, high float32) bool
TEXT ·exceedsAVX(SB), NOSPLIT, $0-25
	MOVQ s+0(FP), SI
	MOVQ n+8(FP), CX
	VBROADCASTSS high+16(FP), Y0
	MOVL $0xBF800000, AX // -1
	VMOVD AX, X1
	VBROADCASTSS X1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	XORQ DX, DX
scan:
	VMOVUPS (SI)(DX*4), Y4
	VMOVUPS 32(SI)(DX*4), Y5
	VMOVUPS 64(SI)(DX*4), Y6
	VMOVUPS 96(SI)(DX*4), Y7
	VCMPPS $0x1E, Y0, Y4, Y8  // above high: ordered, so NaN is not
	VCMPPS $0x1E, Y0, Y5, Y9
	VCMPPS $0x1E, Y0, Y6, Y10
	VCMPPS $0x1E, Y0, Y7, Y11
	VCMPPS $0x11, Y1, Y4, Y4  // below -1
	VCMPPS $0x11, Y1, Y5, Y5
	VCMPPS $0x11, Y1, Y6, Y6
	VCMPPS $0x11, Y1, Y7, Y7
	VORPS Y8, Y4, Y4
	VORPS Y9, Y5, Y5
	VORPS Y10, Y6, Y6
	VORPS Y11, Y7, Y7
	VORPS Y4, Y5, Y5
	VORPS Y6, Y7, Y7
	VORPS Y5, Y2, Y2
	VORPS Y7, Y3, Y3
	ADDQ $32, DX
	CMPQ DX, CX
	JLT  scan
	VORPS Y3, Y2, Y2
	VMOVMSKPS Y2, AX
	TESTL AX, AX
	SETNE ret+24(FP)
	VZEROUPPER
	RET

// func interleave2AVX(dst, left, right *float32, n int)
TEXT ·interleave2AVX(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ left+8(FP), SI
	MOVQ right+16(FP), BX
	MOVQ n+24(FP), CX
	XORQ DX, DX
weave:
	VMOVUPS (SI)(DX*4), Y0
	VMOVUPS (BX)(DX*4), Y1
	VUNPCKLPS Y1, Y0, Y2 // l0 r0 l1 r1 | l4 r4 l5 r5
	VUNPCKHPS Y1, Y0, Y3 // l2 r2 l3 r3 | l6 r6 l7 r7
	VPERM2F128 $0x20, Y3, Y2, Y4
	VPERM2F128 $0x31, Y3, Y2, Y5
	VMOVUPS Y4, (DI)(DX*8)
	VMOVUPS Y5, 32(DI)(DX*8)
	ADDQ $8, DX
	CMPQ DX, CX
	JLT  weave
	VZEROUPPER
	RET
