package callmodel_test

import (
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/callmodel"
)

func TestAmount(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"0": "0", "0.0": "0", "-0": "0", "12": "12", "0.0123": "0.0123", "00.50": "0.5", "-1.5": "-1.5",
		"0.00000001": "0.00000001", "999999999.99999999": "999999999.99999999",
	} {
		a, err := callmodel.ParseAmount(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, a.String(), in)
	}
	for _, in := range []string{"", ".", ".5", "1.", "1,5", "1e3", "+1", "--1", "0.000000001", "1234567890", "1 ", "0x1", "１"} {
		_, err := callmodel.ParseAmount(in)
		assert.Error(t, err, in)
	}
	assert.Equal(t, "-92233720368.54775808", callmodel.Amount(math.MinInt64).String())
}

// TestAmountIsTheDecimal: what is written is what is read, compared with
// rational numbers of any size.
func TestAmountIsTheDecimal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`-?[0-9]{1,9}(\.[0-9]{1,8})?`).Draw(t, "decimal")
		a, err := callmodel.ParseAmount(s)
		require.NoError(t, err)
		want, ok := new(big.Rat).SetString(s)
		require.True(t, ok)
		require.Zero(t, want.Cmp(big.NewRat(int64(a), int64(callmodel.AmountUnit))))
		again, err := callmodel.ParseAmount(a.String())
		require.NoError(t, err)
		require.Equal(t, a, again)
	})
}
