package routing

// Salts keep the draws of one call apart from each other.
const (
	poolSalt    = 0x9e3779b97f4a7c15
	exploreSalt = 0xd1b54a32d192ed03
	probeSalt   = 0x8cb92ba72f3d8dd7
	canarySalt  = 0x5851f42d4c957f2d
)

// hashString is FNV-1a, 64 bit.
func hashString(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix spreads every bit of x over the whole word: the finaliser of SplitMix64
// (Steele, Lea & Flood 2014), without which call ids that count up would give
// scores that do too.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// unit maps a hash to (0, 1).
func unit(x uint64) float64 { return (float64(x>>11) + 0.5) / (1 << 53) }
