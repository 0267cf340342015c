package apiclient_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/apiclient"
)

func TestError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		says   string
	}{
		"a success":   {http.StatusOK, `{}`, ""},
		"one fault":   {422, `{"detail":"to: is missing","code":"invalid","errors":[{"path":"to","message":"is missing"}]}`, "to: is missing (invalid, 422)"},
		"many faults": {422, `{"detail":"the request has 2 faults","code":"invalid","errors":[{"path":"a","message":"x"},{"path":"b","message":"y"}]}`, "the request has 2 faults (invalid, 422)\n  a: x\n  b: y"},
		"an id":       {500, `{"detail":"it was logged","code":"internal","request_id":"r1"}`, "it was logged (internal, 500)\n  request r1"},
		"a proxy's":   {502, "<html>bad gateway</html>\n", `Bad Gateway: "<html>bad gateway</html>" (internal, 502)`},
		"nothing":     {404, "", `Not Found: "" (malformed, 404)`},
	} {
		err := apiclient.Error(&apiclient.GetCallResponse{Body: []byte(c.body), HTTPResponse: &http.Response{StatusCode: c.status}})
		if c.says == "" {
			require.NoError(t, err, name)
			continue
		}
		require.EqualError(t, err, c.says, name)
		var refused *apiclient.RefusedError
		require.ErrorAs(t, err, &refused, name)
		assert.Equal(t, c.status, refused.Answered, name)
	}
}
