package callmodel

import (
	"errors"
	"strconv"
	"strings"
)

// Amount is an amount of money, exactly, in hundred-millionths of the
// currency's unit: 1 is 0.00000001. JSON and people see the decimal: "0.0123".
type Amount int64

const (
	// AmountDecimals is how many decimals an amount has at most.
	AmountDecimals = 8
	// AmountUnit is one whole unit of the currency.
	AmountUnit Amount = 100_000_000
	// maxWhole bounds what is parsed; sums of such amounts fit an int64.
	maxWholeDigits = 9
)

var errAmount = errors.New("is not an amount; give a decimal like 0.0123, of at most 9 digits before the point and 8 behind it")

// ParseAmount reads a decimal: "12", "0.0123", "-1.5". No exponents, no signs
// but a leading minus, no separators, at most 9 digits before the point and 8
// behind it.
func ParseAmount(s string) (Amount, error) {
	digits, negative := strings.CutPrefix(s, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if whole == "" || len(whole) > maxWholeDigits || len(fraction) > AmountDecimals || point && fraction == "" {
		return 0, errAmount
	}
	var a Amount
	for _, part := range [2]string{whole, fraction} {
		for i := range len(part) {
			if part[i] < '0' || part[i] > '9' {
				return 0, errAmount
			}
			a = a*10 + Amount(part[i]-'0')
		}
	}
	for range AmountDecimals - len(fraction) {
		a *= 10
	}
	if negative {
		a = -a
	}
	return a, nil
}

// String is the shortest decimal: "0.0123", "12".
func (a Amount) String() string {
	b, _ := a.MarshalText()
	return string(b)
}

// MarshalText implements encoding.TextMarshaler.
func (a Amount) MarshalText() ([]byte, error) {
	var b []byte
	u := uint64(a)
	if a < 0 {
		b, u = append(b, '-'), -u
	}
	b = strconv.AppendUint(b, u/uint64(AmountUnit), 10)
	rest := u % uint64(AmountUnit)
	if rest == 0 {
		return b, nil
	}
	// The leading 1 keeps the zeros behind the point.
	point := len(b)
	b = strconv.AppendUint(b, uint64(AmountUnit)+rest, 10)
	b[point] = '.'
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	return b, nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Amount) UnmarshalText(b []byte) error {
	v, err := ParseAmount(string(b))
	if err == nil {
		*a = v
	}
	return err
}
