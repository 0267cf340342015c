package g722

// The tables of clause 6.2 of the Recommendation, by the code that is received.
//
//nolint:gochecknoglobals // constant tables
var (
	// quant6 is QM6: the lower sub-band's output.
	quant6 = [64]int32{
		-136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
		-7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
		24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
		4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
	}
	// quant4 is QM4: the lower sub-band's adaptation.
	quant4 = [16]int32{
		0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
	}
	// quant2 is QM2: the higher sub-band.
	quant2 = [4]int32{-7408, -1616, 7408, 1616}
	// lowLog is WL of RL42, and highLog WH of RH2: how the scales adapt.
	lowLog  = [16]int32{-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60}
	highLog = [4]int32{798, -214, 798, -214}
	// inverseLog is ILB.
	inverseLog = [32]int32{
		2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
		2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
	}
	// qmfHalf is every other coefficient of the QMF (table 11 of the Recommendation);
	// the others are the same backwards.
	qmfHalf = [12]int32{3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11}
)
