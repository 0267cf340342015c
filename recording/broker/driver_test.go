package broker_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/broker"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for raw, shown := range map[string]string{
		"nats://h":                                      "nats://h",
		"nats://a:1,b:2,[::1]:3?stream=x":               "nats://a:1,b:2,[::1]:3?stream=x",
		"NATS://ann:se%40cret@h/p%20q?x=1&token=se":     "nats://ann:xxxxx@h/p%20q?x=1",
		"rabbit://u:cret@h/%2Fv?password=cret&secret=1": "rabbit://u:xxxxx@h//v",
		"awssqs://h/1/q?region=r&accesskey=cret":        "awssqs://h/1/q?region=r",
		"nats://cret@h:1,h2?stream=x":                   "nats://h:1,h2?stream=x",
		"azuresb://topic?subscription=s":                "azuresb://topic?subscription=s",
		"awssns:///arn":                                 "awssns:///arn",
	} {
		u, err := broker.ParseURL(raw)
		require.NoError(t, err, raw)
		assert.Equal(t, shown, u.String(), raw)
		assert.NotContains(t, u.String(), "cret")
	}
	u, err := broker.ParseURL("nats://ann:se%40cret@a:1,b:2")
	require.NoError(t, err)
	password, _ := u.User.Password()
	assert.Equal(t, "se@cret", password)
	assert.Equal(t, []string{"a:1", "b:2"}, u.Hosts)
	for _, raw := range []string{"", "nats", "://h", "nats://a,,b", "nats://a b", "nats://a:x", "nats://%zz@h", "nats://h?%zz=1", "nats://h#f", "nats://ann:cret@a:b:c"} {
		_, err := broker.ParseURL(raw)
		require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err), "%q: %v", raw, err)
		assert.NotContains(t, err.Error(), "cret")
	}
}

func TestParameters(t *testing.T) {
	t.Parallel()
	u, err := broker.ParseURL("nats://h?a=1&b=2&c=3")
	require.NoError(t, err)
	assert.Equal(t, "1", u.Take("a"))
	assert.Empty(t, u.Take("a"))
	require.EqualError(t, u.Left(), "b: is not a parameter of nats:// here; c: is not a parameter of nats:// here")
	u.Take("b")
	u.Take("c")
	require.NoError(t, u.Left())
}

func TestDrivers(t *testing.T) {
	t.Parallel()
	opened := false
	only := broker.Driver{Scheme: "nats", Subscribe: func(*broker.URL) (broker.Subscription, error) { opened = true; return nil, nil }}
	at := func(raw string) *broker.URL {
		u, err := broker.ParseURL(raw)
		require.NoError(t, err)
		return u
	}
	_, err := broker.Drivers{only}.Subscribe(at("nats://h"))
	require.NoError(t, err)
	require.True(t, opened)
	_, err = broker.Drivers{only}.OpenTopic(at("nats://h"))
	require.Equal(t, callmodel.CodeUnsupported, callmodel.CodeOf(err), "%v", err)
	_, err = broker.Drivers{only}.Subscribe(at("kafka://h"))
	require.ErrorContains(t, err, "must be one of nats")
	for _, scheme := range []string{"rabbit", "awssqs", "azuresb", "gcppubsub"} {
		_, err = broker.Drivers{only}.OpenTopic(at(scheme + "://h"))
		var missing *broker.NotLinkedError
		require.ErrorAs(t, err, &missing)
		require.True(t, strings.HasPrefix(missing.Package, "github.com/switchtape/switchtape/recording/broker/"))
	}
	for _, bad := range []broker.Drivers{{only, only}, {{Scheme: ""}}, {{Scheme: "NATS"}}} {
		_, err = bad.Subscribe(at("x://h"))
		require.ErrorContains(t, err, "lower case", "%v", bad)
	}
}

func TestHeadersOfAnyCase(t *testing.T) {
	t.Parallel()
	m := broker.Message{Headers: map[string]string{"switchtape-tenant": "acme"}}
	assert.Equal(t, "acme", m.Header(broker.HeaderTenant))
	assert.Empty(t, m.Header(broker.HeaderKind))
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{"nats://a:1,b?x=y", "rabbit://u:p@h/v", "://", "a://@@,?#"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := broker.ParseURL(raw)
		if err != nil {
			return
		}
		again, err := broker.ParseURL(u.String())
		if err != nil {
			t.Fatalf("%q → %q: %v", raw, u, err)
		}
		if again.String() != u.String() {
			t.Fatalf("%q → %q → %q", raw, u, again)
		}
	})
}

func ExampleParseURL() {
	u, err := broker.ParseURL("nats://ann:secret@one:4222,two:4222?stream=JOBS")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(u, u.Hosts)
	// Output: nats://ann:xxxxx@one:4222,two:4222?stream=JOBS [one:4222 two:4222]
}
