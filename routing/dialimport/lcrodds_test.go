package dialimport_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/dialimport"
)

// TestLCRSecondPlace: the report says how often the gateway that differs most comes
// second, here and in the source; both are held against draws.
func TestLCRSecondPlace(t *testing.T) {
	t.Parallel()
	said := regexp.MustCompile(`off by up to ([0-9.]+) points: (\S+) is second for ([0-9.]+) % of the calls, in the source for ([0-9.]+) %`)
	for _, weights := range [][]int{{1, 2, 3}, {1, 1, 254}, {10, 20, 30, 40}, {5, 100, 100, 100, 200}, {7, 7, 7, 8}} {
		var dump strings.Builder
		for i, w := range weights {
			fmt.Fprintf(&dump, "INSERT INTO lcr_gw VALUES (%d,1,'g%d','10.0.0.%d',NULL,5060,NULL,1,1,0,'+',NULL,0,NULL);\n", i+1, i, i+1)
			fmt.Fprintf(&dump, "INSERT INTO lcr_rule_target VALUES (%d,1,1,%d,0,%d);\n", i+1, i+1, w)
		}
		dump.WriteString("INSERT INTO lcr_rule VALUES (1,1,'49',NULL,NULL,NULL,0,1);\n")
		out := mustImport(t, dialimport.KamailioLCR, nil, text("lcr.sql", dump.String()))
		require.Equal(t, 1, out.Report.Approximated.Count)
		m := said.FindStringSubmatch(out.Report.Approximated.List[0].Why)
		require.NotNil(t, m, out.Report.Approximated.List[0].Why)
		number := func(s string) float64 {
			f, err := strconv.ParseFloat(s, 64)
			require.NoError(t, err)
			return f
		}
		worst, err := strconv.Atoi(strings.TrimPrefix(m[2], "g"))
		require.NoError(t, err)

		const draws = 100_000
		rnd := rand.New(rand.NewPCG(1, 2))
		theirs, ours := make([]float64, len(weights)), make([]float64, len(weights))
		router, err := routing.Compile(out.Rules)
		require.NoError(t, err)
		for n := range draws {
			first, second := -1, -1
			keys := make([]float64, len(weights))
			for i, w := range weights {
				keys[i] = float64(w) * rnd.Float64()
				switch {
				case first < 0 || keys[i] > keys[first]:
					first, second = i, first
				case second < 0 || keys[i] > keys[second]:
					second = i
				}
			}
			theirs[second] += 100.0 / draws
			if n%5 == 0 {
				d, err := router.Route(&calls.Request{At: noon, CallID: callmodel.CallID("c" + strconv.Itoa(n)), To: "+4930123456"})
				require.NoError(t, err)
				i, err := strconv.Atoi(strings.TrimPrefix(d.Destinations[1].ID, "g"))
				require.NoError(t, err)
				ours[i] += 500.0 / draws
			}
		}
		require.InDelta(t, theirs[worst], number(m[4]), 0.5, "%v", weights)
		require.InDelta(t, ours[worst], number(m[3]), 1.2, "%v", weights)
		require.InDelta(t, math.Abs(number(m[3])-number(m[4])), number(m[1]), 0.11)
		for i := range weights {
			require.LessOrEqual(t, math.Abs(theirs[i]-ours[i]), number(m[1])+1.5, "%v: %d", weights, i)
		}
	}
}
