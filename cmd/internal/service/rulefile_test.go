package service_test

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/routing"
)

func TestReadRules(t *testing.T) {
	t.Parallel()
	text := "name: x\n" + strings.Repeat("# a comment\n", 1000)
	zipped, encoding, err := service.Gzip([]byte(text))
	require.NoError(t, err)
	assert.Equal(t, "gzip", encoding)
	assert.Less(t, len(zipped), len(text)/10)
	short, encoding, err := service.Gzip([]byte("name: x\n"))
	require.NoError(t, err)
	assert.Empty(t, encoding)
	assert.Equal(t, "name: x\n", string(short))

	var bomb bytes.Buffer
	z, err := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	require.NoError(t, err)
	zeros := make([]byte, 1<<20)
	for range routing.MaxFileBytes/len(zeros) + 1 {
		_, err = z.Write(zeros)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())

	for name, c := range map[string]struct {
		raw  []byte
		want string
		code callmodel.Code
	}{
		"as it is": {[]byte(text), text, ""},
		"gzip":     {zipped, text, ""},
		"members":  {append(bytes.Clone(zipped), zipped...), text + text, ""},
		"cut":      {zipped[:len(zipped)-9], "", callmodel.CodeMalformed},
		"no gzip":  {[]byte{0x1f, 0x8b, 0}, "", callmodel.CodeMalformed},
		"bomb":     {bomb.Bytes(), "", callmodel.CodeTooLarge},
	} {
		path := filepath.Join(t.TempDir(), "rules")
		require.NoError(t, os.WriteFile(path, c.raw, 0o600))
		got, err := service.ReadRules(path)
		if c.code != "" {
			require.Equal(t, c.code, callmodel.CodeOf(err), name)
			require.ErrorContains(t, err, path, name)
			continue
		}
		require.NoError(t, err, name)
		assert.Equal(t, c.want, string(got), name)
	}
	_, err = service.ReadRules(filepath.Join(t.TempDir(), "nowhere"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
