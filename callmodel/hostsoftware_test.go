package callmodel_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
)

func TestHostSoftware(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"", "a", "Asterisk 20.9.1", "FreeSWITCH/1.10.12-release~64bit", strings.Repeat("x", callmodel.MaxHostSoftware)} {
		require.NoError(t, callmodel.ValidateHostSoftware(good), good)
	}
	for _, bad := range []string{" ", "Asterisk ", " 20", "a\nb", "é", "a\x7fb", strings.Repeat("x", callmodel.MaxHostSoftware+1)} {
		require.ErrorContains(t, callmodel.ValidateHostSoftware(bad), "host_software", bad)
	}
}
