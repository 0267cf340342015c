package pbx_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/pbx"
)

func TestSoftware(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"", "a", "Asterisk 20.9.1", "FreeSWITCH/1.10.12-release~64bit", strings.Repeat("x", pbx.MaxSoftware)} {
		require.NoError(t, pbx.ValidateSoftware("host_software", good), good)
	}
	for _, bad := range []string{" ", "Asterisk ", " 20", "a\nb", "é", "a\x7fb", strings.Repeat("x", pbx.MaxSoftware+1)} {
		require.ErrorContains(t, pbx.ValidateSoftware("host_software", bad), "host_software", bad)
	}
}
