package routing

import (
	"math/bits"
	"strings"
)

// A prefix or a number as a word: a symbol takes four bits, the first the
// highest, 1 to 10 for a digit and 0 for none, and the last four bits count the
// symbols. In the order of these words a prefix stands right before all that
// begin with it.
//
// "1" and "1000" differ by what they hold, never by padding: 0 is no digit.
const (
	keySymbols = 15
	national   = 1 // the first symbol of numbers without a plus; no country code has it, which is a 0
)

// keyOf is the key of as much of the number as is digits, with the highest count.
func keyOf(number string) (key uint64, plus bool) {
	i, shift := 0, 60
	if number != "" && number[0] == '+' {
		i, plus = 1, true
		if len(number) > 1 && number[1] == '0' {
			return keySymbols, true
		}
	} else {
		key, shift = national<<60, 56
	}
	if plus && len(number) > 8 {
		if eight, ok := eightDigits(number[1:9]); ok {
			key, i, shift = eight<<32, 9, 28
		}
	}
	for ; i < len(number) && shift > 0; i++ {
		d := number[i] - '0'
		if d > 9 {
			break
		}
		key |= uint64(d+1) << shift
		shift -= 4
	}
	return key | keySymbols, plus
}

// eightDigits packs eight digits into symbols, all at once; false if one of
// them is none.
func eightDigits(s string) (uint64, bool) {
	const ones = 0x0101010101010101
	_ = s[7]
	w := uint64(s[0])<<56 | uint64(s[1])<<48 | uint64(s[2])<<40 | uint64(s[3])<<32 |
		uint64(s[4])<<24 | uint64(s[5])<<16 | uint64(s[6])<<8 | uint64(s[7])
	// A byte is a digit if its high half is 3, also after 6 is added to it.
	if (w&(0xf0*ones))|((w+6*ones)&(0xf0*ones))>>4 != 0x33*ones {
		return 0, false
	}
	w = w&(0x0f*ones) + ones
	w = (w | w>>4) & 0x00ff00ff00ff00ff
	w = (w | w>>8) & 0x0000ffff0000ffff
	return (w | w>>16) & 0xffffffff, true
}

// prefixKey is the key of a prefix that was found valid.
func prefixKey(prefix string) uint64 {
	key, plus := keyOf(prefix)
	n := uint64(len(prefix))
	if plus {
		n-- // the plus
	} else {
		n++ // the mark
	}
	return key&^keySymbols | n
}

// prefixText is the inverse of prefixKey.
func prefixText(key uint64) string {
	var b strings.Builder
	n := int(key & keySymbols)
	for i := range n {
		s := byte(key >> (60 - 4*i) & 15)
		if i == 0 {
			if s == national {
				continue
			}
			b.WriteByte('+')
		}
		b.WriteByte('0' + s - 1)
	}
	return b.String()
}

// covers reports whether the other key begins with the prefix.
func covers(prefix, key uint64) bool { return symbolsAlike(prefix, key) >= int(prefix&keySymbols) }

// symbolsAlike is how many symbols both begin with, 16 if they are equal.
func symbolsAlike(a, b uint64) int { return bits.LeadingZeros64(a^b) / 4 }
