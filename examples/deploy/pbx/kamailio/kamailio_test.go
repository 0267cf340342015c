// Package kamailio_test places calls with sipp through Debian's Kamailio, with the
// configuration of this directory, by the routes of a running Switchtape.
package kamailio_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/examples/deploy/internal/machines"
)

const rules = `
destinations:
  answers: {uri: "sip:127.0.0.1:%[1]d"}
  refuses: {uri: "sip:127.0.0.1:%[2]d"}
  rings:   {uri: "sip:127.0.0.1:%[3]d"}
  silent:  {uri: "sip:127.0.0.1:%[4]d"}
  landline: {uri: "tel:+33144556677"}
  private: {uri: "sip:127.0.0.1:%[1]d", prepend: "00", caller: {policy: withhold}}
rules:
  - {id: emergency, match: {to: {service: emergency}}, route: [[{to: refuses}], [{to: answers}]]}
  - {id: washington, match: {to: {prefix: "+1202"}}, route: [[{to: answers}]]}
  - {id: london, match: {to: {prefix: "+4420"}}, route: [[{to: refuses}], [{to: answers}]]}
  - {id: berlin, match: {to: {prefix: "+4930"}}, route: [[{to: refuses}], [{to: answers}]], failover: {final: ["sip:503"]}}
  - {id: paris, match: {to: {prefix: "+331"}}, route: [[{to: landline}], [{to: silent}], [{to: answers}]], failover: {attempt_seconds: 1}}
  - {id: rome, match: {to: {prefix: "+3906"}}, route: [[{to: rings}]]}
  - {id: vienna, match: {to: {prefix: "+431"}}, route: [[{to: private}]]}
`

// TestCalls places calls in the order in which an API lives: while it answers, after
// it was killed, while it hangs, and when it is back.
func TestCalls(t *testing.T) {
	kamailio(t) // before anything is started that it would need
	answers, refuses, rings := newPhone(t, "uas_answers.xml"), newPhone(t, "uas_refuses.xml"), newPhone(t, "uas_rings.xml")
	gateway := newPhone(t, "uas_answers.xml")
	a := newAPI(t, fmt.Sprintf(rules, answers.port, refuses.port, rings.port, machines.FreePort(t)))
	door, emergencyDoor := newDoor(t, a.port), newDoor(t, a.emergency)
	// One receiver, as sipp can't bear it that what follows quickly is overtaken.
	port, p := newKamailio(t, []string{
		"SWITCHTAPE_API=https://" + machines.Address(door.port), "SWITCHTAPE_EMERGENCY_API=https://" + machines.Address(emergencyDoor.port), "SWITCHTAPE_API_KEY=" + apiKey,
		"SWITCHTAPE_TRUSTED=127.0.0.0/8", fmt.Sprintf("SWITCHTAPE_EMERGENCY_GATEWAY=sip:127.0.0.1:%d", gateway.port), "SWITCHTAPE_HOST=pbx1",
	}, "WITH_RECORDER", "RECEIVERS=1", "API_SECONDS=2", fmt.Sprintf("API_CA=%q", a.ca), "AWAY_SECONDS=1")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Kamailio said:\n%s", p.Said)
		}
	})

	t.Run("a call by the route that it was given, recorded", func(t *testing.T) {
		place(t, port, "uac_talks.xml", "talks@test", "2025550143")
		call := a.comes(t, "talks@test", "ended")
		require.Len(t, answers.invites(t, "talks@test"), 1)
		assert.Contains(t, answers.invites(t, "talks@test")[0], "INVITE sip:+12025550143@")
		assert.Equal(t, "answers", call.Decision.Destinations[0].Id)
		assert.Equal(t, "pbx1", *call.Host)
		require.NotNil(t, call.RingingAt)
		length := call.EndedAt.Sub(*call.AnsweredAt)
		assert.Greater(t, length, 250*time.Millisecond)
		assert.Less(t, length, 5*time.Second)
		assert.False(t, call.RingingAt.After(*call.AnsweredAt))

		legs := "../../../../recording/recordingtest/samplecall/"
		a.leg(t, call.Id, "caller.wav", legs+"customer.wav")
		a.leg(t, call.Id, "callee.wav", legs+"agent.wav")
		require.EventuallyWithT(t, func(now *assert.CollectT) {
			recordings := a.called(now, "talks@test")[0].Recordings
			require.NotNil(now, recordings)
			require.Len(now, *recordings, 1)
			require.EqualValues(now, "completed", (*recordings)[0].State)
		}, machines.Deadline, 20*time.Millisecond)
	})
	t.Run("the next destination where the first refuses", func(t *testing.T) {
		place(t, port, "uac_talks.xml", "failover@test", "+442079460999")
		call := a.comes(t, "failover@test", "ended")
		assert.Equal(t, 1, call.Attempt)
		assert.Len(t, refuses.invites(t, "failover@test"), 1)
		assert.Len(t, answers.invites(t, "failover@test"), 1)
	})
	t.Run("the first's answer where the rules say that it is final", func(t *testing.T) {
		refused(t, port, 500, "final@test", "+493012345678") // a proxy keeps a 503 to itself: RFC 3261 section 16.7
		call := a.comes(t, "final@test", "failed")
		assert.Equal(t, 503, *call.Cause.Sip)
		assert.Empty(t, answers.invites(t, "final@test"))
	})
	t.Run("what it can't send to and machines that are silent", func(t *testing.T) {
		place(t, port, "uac_talks.xml", "silent@test", "+33144556677")
		assert.Equal(t, 2, a.comes(t, "silent@test", "ended").Attempt)
	})
	t.Run("a caller who wants to stay unknown", func(t *testing.T) {
		place(t, port, "uac_talks.xml", "private@test", "+4312345678")
		a.comes(t, "private@test", "ended")
		invite := answers.invites(t, "private@test")[0]
		assert.Contains(t, invite, "INVITE sip:004312345678@")
		assert.Contains(t, invite, "Privacy: id")
		from := regexp.MustCompile(`(?m)^From:.*$`).FindString(invite)
		assert.Contains(t, from, "sip:anonymous@anonymous.invalid")
		assert.NotContains(t, from, "442079460123")
	})
	t.Run("no route", func(t *testing.T) {
		refused(t, port, 404, "nowhere@test", "+819012345678")
		a.comes(t, "nowhere@test", "rejected")
		refused(t, port, 484, "nobody@test", "nobody")
		assert.Empty(t, a.called(t, "nobody@test"))
	})
	t.Run("an INVITE that comes again is one call", func(t *testing.T) {
		place(t, port, "uac_repeats.xml", "again@test", "+12025550144")
		a.comes(t, "again@test", "ended")
		assert.Len(t, answers.invites(t, "again@test"), 1)
		// To a Kamailio that knows nothing of the first, the API gives its answer again.
		refused(t, port, 404, "refused-again@test", "+819012345678")
		refused(t, port, 404, "refused-again@test", "+819012345678")
		call := a.comes(t, "refused-again@test", "rejected")
		sum := sha256.Sum256([]byte("refused-again@test"))
		key := hex.EncodeToString(sum[:]) + "-1"
		byKey, err := a.client.ListCallsWithResponse(t.Context(), &apiclient.ListCallsParams{IdempotencyKey: &key})
		require.NoError(t, err)
		require.NoError(t, apiclient.Error(byKey))
		require.Len(t, byKey.JSON200.Calls, 1)
		assert.Equal(t, call.Id, byKey.JSON200.Calls[0].Id)
	})
	t.Run("a caller who hangs up while it rings", func(t *testing.T) {
		place(t, port, "uac_gives_up.xml", "gives-up@test", "+390612345678")
		call := a.comes(t, "gives-up@test", "ended")
		assert.Equal(t, 487, *call.Cause.Sip)
		assert.Nil(t, call.AnsweredAt)
	})
	t.Run("a caller who hangs up before it is decided", func(t *testing.T) {
		for try := range 10 {
			callID := fmt.Sprintf("regrets-%d@test", try)
			open, before := door.hold(), door.knocked.Load()
			slow := time.AfterFunc(time.Second, open) // the caller hangs up sooner
			place(t, port, "uac_regrets.xml", callID, "+390612345679")
			slow.Stop()
			open()
			if door.knocked.Load() > before { // else the caller hung up before it was asked, too
				assert.Equal(t, 487, *a.comes(t, callID, "ended").Cause.Sip)
				return
			}
		}
		t.Fatal("the API was never asked before the caller hung up")
	})
	t.Run("an emergency call", func(t *testing.T) {
		place(t, port, "uac_talks.xml", "help@test", "911")
		call := a.comes(t, "help@test", "ended")
		assert.True(t, *call.Emergency)
		assert.Equal(t, "rules", string(call.Decision.Source))
		assert.Contains(t, answers.invites(t, "help@test")[0], "INVITE sip:911@")
		assert.Empty(t, gateway.invites(t, "help@test"))
	})
	t.Run("an emergency call without a number", func(t *testing.T) {
		sos := edited(t, "uac_talks.xml", "INVITE sip:[service]@[remote_ip]:[remote_port]", "INVITE urn:service:sos")
		placeWith(t, port, sos, "sos@test", "sos")
		assert.True(t, *a.comes(t, "sos@test", "ended").Emergency)
		assert.Contains(t, answers.invites(t, "sos@test")[0], "INVITE urn:service:sos SIP/2.0")
	})

	if testing.Short() {
		return
	}
	outlives, ends := newCaller(t, port, testdata(t, "uac_talks.xml"), "outlives@test", "+12025550145", 2*time.Second), make(chan error, 1)
	go func() {
		_, err := outlives()
		ends <- err
	}()
	a.comes(t, "outlives@test", "answered")
	a.process.Kill()
	t.Run("the API is down", func(t *testing.T) {
		sos := edited(t, "uac_talks.xml", "INVITE sip:[service]@[remote_ip]:[remote_port]", "INVITE urn:service:sos.fire")
		placeWith(t, port, sos, "sos-down@test", "sos")
		assert.Contains(t, gateway.invites(t, "sos-down@test")[0], "INVITE urn:service:sos.fire SIP/2.0")
		place(t, port, "uac_talks.xml", "help-down@test", "112")
		assert.Contains(t, gateway.invites(t, "help-down@test")[0], "INVITE sip:112@")
		refused(t, port, 503, "down@test", "+12025550143")
	})
	t.Run("the API hangs", func(t *testing.T) {
		open, openToo := door.hold(), emergencyDoor.hold()
		defer open()
		defer openToo()
		// It is asked again once AWAY_SECONDS are over, and is waited for then.
		require.Eventually(t, func() bool { return refused(t, port, 503, "hangs@test", "+12025550143") > 2*time.Second }, machines.Deadline, 100*time.Millisecond)
		took := refused(t, port, 503, "hung@test", "+12025550143")
		assert.Less(t, took, time.Second, "the next call waits for what has just not answered")
		took = place(t, port, "uac_talks.xml", "help-hangs@test", "9112")
		assert.Less(t, took, 5*time.Second)
		assert.Contains(t, gateway.invites(t, "help-hangs@test")[0], "INVITE sip:9112@")
	})
	require.NoError(t, <-ends)
	ended := time.Now()
	a.start(t)
	t.Run("the API is back", func(t *testing.T) {
		// What happened meanwhile is told, and when it was.
		assert.True(t, a.comes(t, "outlives@test", "ended").EndedAt.Before(ended))
		require.Eventually(t, func() bool {
			place(t, port, "uac_talks.xml", "help-back@test", "911")
			return len(gateway.invites(t, "help-back@test")) == 0
		}, machines.Deadline, 100*time.Millisecond)
	})
}

// TestConfiguration: what lacks something of its environment doesn't start, and
// nobody who isn't trusted gets a call through.
func TestConfiguration(t *testing.T) {
	env := []string{
		"SWITCHTAPE_API=http://127.0.0.1:1", "SWITCHTAPE_EMERGENCY_API=http://127.0.0.1:1",
		"SWITCHTAPE_TRUSTED=192.0.2.0/24", "SWITCHTAPE_EMERGENCY_GATEWAY=sip:127.0.0.1:1", "SWITCHTAPE_HOST=pbx1", "SWITCHTAPE_RTPENGINE=udp:127.0.0.1:1",
	}
	check := func(env []string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), kamailio(t), append(args, "-c", "-f", configuration(t), "-l", "udp:127.0.0.1")...)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, define := range []string{"WITH_NOTHING", "WITH_RECORDER", "WITH_RTPENGINE"} {
		out, err := check(env, "-A", define)
		require.NoError(t, err, out)
	}
	for i := range env {
		out, err := check(append(append([]string{}, env[:i]...), env[i+1:]...), "-A", "WITH_RTPENGINE")
		require.Error(t, err, out)
	}

	port, _ := newKamailio(t, env)
	refused(t, port, 403, "stranger@test", "+12025550143")
}
