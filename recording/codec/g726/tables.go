package g726

// table is what the magnitude of a code stands for.
type table struct {
	log    []int32 // DQLN, the normalised logarithm (tables 5 to 8 of the Recommendation)
	weight []int32 // W(I), how the scale factor adapts (clause 4.2.4, FUNCTW)
	rate   []int32 // F(I), how the speed adapts (clause 4.2.5, FUNCTF)
}

// tables are those of codes of 2, 3, 4 and 5 bits.
var tables = [4]table{ //nolint:gochecknoglobals // constant tables
	{
		log:    []int32{116, 365},
		weight: []int32{-22, 439},
		rate:   []int32{0, 7},
	},
	{
		log:    []int32{-2048, 135, 273, 373},
		weight: []int32{-4, 30, 137, 582},
		rate:   []int32{0, 1, 2, 7},
	},
	{
		log:    []int32{-2048, 4, 135, 213, 273, 323, 373, 425},
		weight: []int32{-12, 18, 41, 64, 112, 198, 355, 1122},
		rate:   []int32{0, 0, 0, 1, 1, 1, 3, 7},
	},
	{
		log:    []int32{-2048, -66, 28, 104, 169, 224, 274, 318, 358, 395, 429, 459, 488, 514, 539, 566},
		weight: []int32{14, 14, 24, 39, 40, 41, 58, 100, 141, 179, 219, 280, 358, 440, 529, 696},
		rate:   []int32{0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 3, 4, 5, 6, 6},
	},
}
