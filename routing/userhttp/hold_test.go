package userhttp_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/callmodel/problem/contracttest"
	"github.com/switchtape/switchtape/routing/userhttp"
)

// TestRequestsOfTheContract: what the file has is taken, what it doesn't have is refused,
// and every answer is in it.
func TestRequestsOfTheContract(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s userhttp.Store) {
		t.Helper()
		h := userhttp.New(s, nil)
		put(t, h, "/v1/users/ann", ann)
		put(t, h, "/v1/users/old", `{"name": "Old"}`)
		put(t, h, "/v1/tenants/acme", `{}`)
		values := map[string]string{"id": "ann", "DELETE /v1/users/{id} id": "old", "GET /v1/tenants/{id}/versions id": "acme", "If-Match": "*"}
		for _, method := range []string{"GET", "PUT", "PATCH"} {
			values[method+" /v1/tenants/{id} id"] = "acme"
		}
		n := contract(t).Hold(t, h, &contracttest.Setting{Tenant: "acme", Values: values, Refused: beyondTheContract()})
		t.Logf("%d requests", n)
		assert.Greater(t, n, 500)
	})
}

// beyondTheContract are the requests that break rules which OpenAPI can't say.
func beyondTheContract() map[string]string {
	const user, tenant = "PUT /v1/users/{id}: ", "PUT /v1/tenants/{id}: "
	return map[string]string{
		user + "id: the longest":                                             "it is the path's",
		user + "tenant_id: the longest":                                      "it is the request's",
		user + "preferences.devices.[].uri: the longest":                     "it is a SIP URI",
		user + "preferences.forwarding.[].after_seconds: the least":          "the sample's number is none",
		user + "preferences.forwarding.[].after_seconds: the most":           "the sample's number is none",
		user + `preferences.forwarding.[].when: the value "always"`:          "the sample's number is none",
		user + `preferences.forwarding.[].when: the value "busy"`:            "the sample's number is none",
		user + `preferences.forwarding.[].when: the value "no_answer"`:       "the sample's number is none",
		user + `preferences.forwarding.[].when: the value "unreachable"`:     "the sample's number is none",
		tenant + "id: the longest":                                           "it is the path's",
		tenant + "defaults.webhooks.[].url: the longest":                     "it is an https URL",
		tenant + "defaults.recording.outputs.[].bit_depth: the most":         "the sample's codec has none",
		tenant + `defaults.recording.outputs.[].layout: the value ""`:        "only an analysis has none",
		tenant + "defaults.recording.outputs.[].samples_per_pixel: the most": "only peaks have pixels",
	}
}
