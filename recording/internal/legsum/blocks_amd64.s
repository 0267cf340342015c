//go:build !purego

#include "textflag.h"

// FIPS 180-4 section 6.2.2 with the SHA extensions of x86: four rounds and the
// words of four later ones at a time. A processor that computes them can begin
// the next long before it has ended one, but of a single stream each needs the
// one before: so two streams take hardly longer than one.
//
// The first stream has its state in X1 (F, E, B, A from the lowest lane) and X2
// (H, G, D, C), and its last 16 words in X3 to X6; the second has X7, X8 and X9
// to X12. X14 turns the bytes of words round; X0 and X13 are for the moment.

// ROUNDS does four rounds with the words in w and the constants at k.
#define ROUNDS(k, w, low, high) \
	MOVOU k(AX), X0; \
	PADDD w, X0; \
	SHA256RNDS2 X0, low, high; \
	PSHUFD $0x0e, X0, X0; \
	SHA256RNDS2 X0, high, low

// LOAD reads the next four words.
#define LOAD(at, from, w) \
	MOVOU at(from), w; \
	PSHUFB X14, w

// NEXT ends the words behind w; before are those before it.
#define NEXT(w, before, behind) \
	MOVO w, X13; \
	PALIGNR $4, before, X13; \
	PADDD X13, behind; \
	SHA256MSG2 w, behind

// STEP is four rounds with the words behind them ended, and those after begun.
#define STEP(k, w, before, behind, low, high) \
	ROUNDS(k, w, low, high); \
	NEXT(w, before, behind); \
	SHA256MSG1 w, before

#define STEP1(k, w, before, behind) STEP(k, w, before, behind, X1, X2)
#define STEP2(k, w, before, behind) STEP(k, w, before, behind, X7, X8)

// ADD adds the state before the block to that behind it, and keeps the sum.
#define ADD(at, low, high) \
	MOVOU (at), X0; \
	PADDD X0, low; \
	MOVOU low, (at); \
	MOVOU 16(at), X0; \
	PADDD X0, high; \
	MOVOU high, 16(at)

// func one(t *tables, s *state, p *byte, n int)
TEXT ·one(SB), NOSPLIT, $0-32
	MOVQ t+0(FP), AX
	MOVQ s+8(FP), R8
	MOVQ p+16(FP), SI
	MOVQ n+24(FP), CX
	MOVOU 256(AX), X14
	MOVOU (R8), X1
	MOVOU 16(R8), X2

single:
	LOAD(0, SI, X3)
	ROUNDS(0, X3, X1, X2)
	LOAD(16, SI, X4)
	ROUNDS(16, X4, X1, X2)
	SHA256MSG1 X4, X3
	LOAD(32, SI, X5)
	ROUNDS(32, X5, X1, X2)
	SHA256MSG1 X5, X4
	LOAD(48, SI, X6)
	STEP1(48, X6, X5, X3)
	STEP1(64, X3, X6, X4)
	STEP1(80, X4, X3, X5)
	STEP1(96, X5, X4, X6)
	STEP1(112, X6, X5, X3)
	STEP1(128, X3, X6, X4)
	STEP1(144, X4, X3, X5)
	STEP1(160, X5, X4, X6)
	STEP1(176, X6, X5, X3)
	STEP1(192, X3, X6, X4)
	ROUNDS(208, X4, X1, X2)
	NEXT(X4, X3, X5)
	ROUNDS(224, X5, X1, X2)
	NEXT(X5, X4, X6)
	ROUNDS(240, X6, X1, X2)
	ADD(R8, X1, X2)
	ADDQ $64, SI
	DECQ CX
	JNZ single
	RET

// func two(t *tables, a, b *state, p, q *byte, n int)
TEXT ·two(SB), NOSPLIT, $0-48
	MOVQ t+0(FP), AX
	MOVQ a+8(FP), R8
	MOVQ b+16(FP), R9
	MOVQ p+24(FP), SI
	MOVQ q+32(FP), DI
	MOVQ n+40(FP), CX
	MOVOU 256(AX), X14
	MOVOU (R8), X1
	MOVOU 16(R8), X2
	MOVOU (R9), X7
	MOVOU 16(R9), X8

double:
	LOAD(0, SI, X3)
	ROUNDS(0, X3, X1, X2)
	LOAD(0, DI, X9)
	ROUNDS(0, X9, X7, X8)
	LOAD(16, SI, X4)
	ROUNDS(16, X4, X1, X2)
	SHA256MSG1 X4, X3
	LOAD(16, DI, X10)
	ROUNDS(16, X10, X7, X8)
	SHA256MSG1 X10, X9
	LOAD(32, SI, X5)
	ROUNDS(32, X5, X1, X2)
	SHA256MSG1 X5, X4
	LOAD(32, DI, X11)
	ROUNDS(32, X11, X7, X8)
	SHA256MSG1 X11, X10
	LOAD(48, SI, X6)
	STEP1(48, X6, X5, X3)
	LOAD(48, DI, X12)
	STEP2(48, X12, X11, X9)
	STEP1(64, X3, X6, X4)
	STEP2(64, X9, X12, X10)
	STEP1(80, X4, X3, X5)
	STEP2(80, X10, X9, X11)
	STEP1(96, X5, X4, X6)
	STEP2(96, X11, X10, X12)
	STEP1(112, X6, X5, X3)
	STEP2(112, X12, X11, X9)
	STEP1(128, X3, X6, X4)
	STEP2(128, X9, X12, X10)
	STEP1(144, X4, X3, X5)
	STEP2(144, X10, X9, X11)
	STEP1(160, X5, X4, X6)
	STEP2(160, X11, X10, X12)
	STEP1(176, X6, X5, X3)
	STEP2(176, X12, X11, X9)
	STEP1(192, X3, X6, X4)
	STEP2(192, X9, X12, X10)
	ROUNDS(208, X4, X1, X2)
	NEXT(X4, X3, X5)
	ROUNDS(208, X10, X7, X8)
	NEXT(X10, X9, X11)
	ROUNDS(224, X5, X1, X2)
	NEXT(X5, X4, X6)
	ROUNDS(224, X11, X7, X8)
	NEXT(X11, X10, X12)
	ROUNDS(240, X6, X1, X2)
	ROUNDS(240, X12, X7, X8)
	ADD(R8, X1, X2)
	ADD(R9, X7, X8)
	ADDQ $64, SI
	ADDQ $64, DI
	DECQ CX
	JNZ double
	RET

// func extended() (ebx uint32)
TEXT ·extended(SB), NOSPLIT, $0-4
	MOVL $7, AX
	XORL CX, CX
	CPUID
	MOVL BX, ebx+0(FP)
	RET
