package kamailio_test

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/examples/deploy/internal/machines"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/g711"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

const (
	frame = 20 * time.Millisecond
	talk  = 150 // packets: 3 s
	lost  = 10  // of the caller's, from the 50th on: 200 ms
)

// TestRTPEngine places calls whose media Debian's rtpengine records, and measures the
// recordings that become of them: who is on which channel, and when.
func TestRTPEngine(t *testing.T) {
	kamailio(t)
	rtpengine := recordingtest.Tool(t, "rtpengine", "rtpengine-daemon")
	t.Setenv("SWITCHTAPE_RECORD_CODEC", "wav")
	callers, callees := newSpeaker(t, 440), newSpeaker(t, 1000)
	speaks := func(scenario, media string, s *speaker) string {
		return edited(t, scenario, "m=audio "+media, fmt.Sprintf("m=audio %d", s.port()))
	}
	answers, refuses := newPhoneWith(t, speaks("uas_answers.xml", "40002", callees)), newPhone(t, "uas_refuses.xml")
	reinvited := newPhoneWith(t, speaks("uas_reinvited.xml", "40002", callees))
	talks, reinvites := speaks("uac_talks.xml", "40000", callers), speaks("uac_reinvites.xml", "40000", callers)
	a := newAPI(t, fmt.Sprintf(`
destinations:
  answers: {uri: "sip:127.0.0.1:%d"}
  refuses: {uri: "sip:127.0.0.1:%d"}
  reinvited: {uri: "sip:127.0.0.1:%d"}
rules:
  - {id: washington, match: {to: {prefix: "+1202"}}, route: [[{to: answers}]]}
  - {id: london, match: {to: {prefix: "+4420"}}, route: [[{to: refuses}], [{to: answers}]]}
  - {id: berlin, match: {to: {prefix: "+4930"}}, route: [[{to: refuses}]]}
  - {id: vienna, match: {to: {prefix: "+431"}}, route: [[{to: reinvited}]]}
`, answers.port, refuses.port, reinvited.port))

	spool, ng := t.TempDir(), machines.FreePort(t)
	conf, err := filepath.Abs("../rtpengine/rtpengine.conf")
	require.NoError(t, err)
	// Not among the ports that the system gives to others, nor those of a test beside this.
	media := 20_000 + os.Getpid()%100*100
	relay := machines.Start(t, nil, rtpengine, "--config-file="+conf, "--foreground", "--log-stderr", "--no-log-timestamps",
		"--interface=127.0.0.1", "--listen-ng="+machines.Address(ng), fmt.Sprintf("--port-min=%d", media), fmt.Sprintf("--port-max=%d", media+98),
		"--recording-dir="+spool)
	require.Eventually(t, func() bool { return taken(ng) }, machines.Deadline, 10*time.Millisecond, "rtpengine did not start: %s", relay.Said)
	port, p := newKamailio(t, []string{
		"SWITCHTAPE_API=" + a.url(), "SWITCHTAPE_EMERGENCY_API=" + a.url(), "SWITCHTAPE_API_KEY=" + apiKey,
		"SWITCHTAPE_TRUSTED=127.0.0.0/8", "SWITCHTAPE_EMERGENCY_GATEWAY=sip:127.0.0.1:1", "SWITCHTAPE_HOST=pbx1",
		"SWITCHTAPE_RTPENGINE=udp:" + machines.Address(ng),
	}, "WITH_RTPENGINE", "RECEIVERS=1", "API_SECONDS=5", fmt.Sprintf("API_CA=%q", a.ca))
	start := startLegs(t, spool, a.file("data/legs"))
	legs := start()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Kamailio said:\n%s\nrtpengine said:\n%s\nwhat makes the legs said:\n%s", p.Said, relay.Said, legs.Said)
		}
	})

	for _, c := range []struct {
		name, number, scenario string
		phone                  *phone
		pause                  time.Duration // of the scenario
	}{
		{"answered", "2025550143", talks, answers, talk*frame + time.Second},
		{"second", "+442079460999", talks, answers, talk*frame + time.Second},
		{"changed", "+4312345678", reinvites, reinvited, talk*frame/2 + 500*time.Millisecond},
	} {
		t.Run("recorded: "+c.name, func(t *testing.T) {
			callID := c.name + "@rtp"
			if c.name == "second" {
				legs.Kill() // the spool waits for the next
			}
			messages := filepath.Join(t.TempDir(), "messages")
			uac := machines.Start(t, nil, sipp(t), machines.Address(port), "-sf", c.scenario, "-i", "127.0.0.1", "-p", strconv.Itoa(machines.FreePort(t)), "-nostdin",
				"-m", "1", "-s", c.number, "-key", "caller", "+442079460123", "-cid_str", callID, "-d", strconv.FormatInt(c.pause.Milliseconds(), 10),
				"-trace_msg", "-message_file", messages)
			toCallee := mediaPort(t, messages, "SIP/2.0 200 OK", callID) // where the caller sends to
			toCaller := mediaPort(t, c.phone.messages, "INVITE ", callID)
			require.NotEqual(t, callees.port(), toCallee, "the media don't go through rtpengine")
			done := make(chan struct{})
			go func() {
				callees.speak(toCaller, 0, c.scenario == reinvites)
				close(done)
			}()
			callers.speak(toCallee, lost, c.scenario == reinvites)
			<-done
			uac.Wait(t)
			call := a.comes(t, callID, "ended")
			if c.name == "second" {
				legs = start()
			}
			require.EventuallyWithT(t, func(now *assert.CollectT) {
				recordings := a.called(now, callID)[0].Recordings
				require.NotNil(now, recordings)
				require.Len(now, *recordings, 1)
				require.EqualValues(now, "completed", (*recordings)[0].State)
			}, machines.Deadline, 20*time.Millisecond)
			left, right := stereo(t, a.file("data"), call.Id)

			assert.InDelta(t, ((talk - lost) * frame).Seconds(), heard(left, 440), 0.05, "what the caller said")
			assert.InDelta(t, (talk * frame).Seconds(), heard(right, 1000), 0.05, "what the callee said")
			assert.Zero(t, heard(left, 1000))
			assert.Zero(t, heard(right, 440))
			from, to := hole(left)
			assert.InDelta(t, (50 * frame).Seconds(), from-begins(left), 0.001, "what was lost is silent where it was")
			assert.InDelta(t, (lost * frame).Seconds(), to-from, 0.001)
			assert.InDelta(t, begins(left), begins(right), 0.05, "both legs have one beginning")
			assert.Greater(t, heardBetween(left, 440, to, to+1), 0.95, "and nothing behind it is shifted")
		})
	}
	t.Run("nothing of a call that nobody answered", func(t *testing.T) {
		refused(t, port, 500, "nobody@rtp", "+493012345678")
		a.comes(t, "nobody@rtp", "failed")
		require.Eventually(t, func() bool {
			return strings.Contains(relay.Said.String(), "[nobody@rtp]: [core] Deleting entire call")
		}, machines.Deadline, 5*time.Millisecond, "its ports are kept")
	})
	require.Eventually(t, func() bool {
		empty := true
		require.NoError(t, filepath.WalkDir(spool, func(path string, d fs.DirEntry, err error) error {
			empty = empty && (d == nil || d.IsDir() || d.Name() == ".lock")
			return nil
		}))
		return empty
	}, machines.Deadline, 50*time.Millisecond, "the spool is not empty")
	legs.Terminate(t)
}

// startLegs builds what makes rtpengine's recordings into legs, and starts it each time.
func startLegs(t *testing.T, spool, legs string) (start func() *machines.Process) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "rtpengine-legs")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../rtpengine")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return func() *machines.Process {
		return machines.Start(t, nil, program, "--spool", spool, "--legs", legs, "--every", "100ms")
	}
}

// mediaPort waits for a message that begins so, and is the port of its audio.
func mediaPort(t *testing.T, messages, begins, callID string) int {
	t.Helper()
	var port int
	require.Eventually(t, func() bool {
		all, err := os.ReadFile(messages)
		if err != nil {
			return false
		}
		for _, m := range regexp.MustCompile(`(?m)^-{20,}.*$`).Split(string(all), -1) {
			found := regexp.MustCompile(`(?m)^m=audio (\d+)`).FindStringSubmatch(m)
			if found != nil && strings.Contains(m, begins) && strings.Contains(m, " received ") && strings.Contains(m, callID) {
				port, err = strconv.Atoi(found[1])
				return err == nil
			}
		}
		return false
	}, machines.Deadline, 5*time.Millisecond, "no %s with an SDP", begins)
	return port
}

// speaker says a tone in RTP.
type speaker struct {
	conn *net.UDPConn
	hz   float64
}

func newSpeaker(t *testing.T, hz float64) *speaker {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &speaker{conn: conn, hz: hz}
}

func (s *speaker) port() int { return s.conn.LocalAddr().(*net.UDPAddr).Port }

// speak sends the tone to a port in real time, without so many packets from the 50th on.
// The sequence numbers and the timestamps wrap on the way. anew: with the 100th packet
// they begin anew, with another SSRC.
func (s *speaker) speak(port, lost int, anew bool) {
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
	began := time.Now()
	for n := range talk {
		<-time.After(time.Until(began.Add(time.Duration(n) * frame))) // a busy machine catches up
		if n < 50 || n >= 50+lost {
			ssrc, counter := uint32(s.hz), n
			if anew && n >= 100 {
				ssrc, counter = ssrc+1, n+12_345
			}
			b := binary.BigEndian.AppendUint16([]byte{0x80, 0}, uint16(counter+65_500))
			b = binary.BigEndian.AppendUint32(b, uint32(counter)*160-8000)
			b = binary.BigEndian.AppendUint32(b, ssrc)
			for i := range 160 {
				b = append(b, g711.MulawFromInt16(int16(8000*math.Sin(2*math.Pi*s.hz*float64(n*160+i)/8000))))
			}
			_, _ = s.conn.WriteToUDP(b, to) // what isn't there is missing in the recording
		}
	}
}

// stereo is the two channels of the call's recording, of 8 kHz.
func stereo(t *testing.T, data, call string) (left, right []float32) {
	t.Helper()
	var paths []string
	require.NoError(t, filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".wav" && strings.Contains(path, call) && !strings.Contains(path, "/legs/") && err == nil {
			paths = append(paths, path)
		}
		return nil
	}))
	require.Len(t, paths, 1, "recordings")
	f, err := os.Open(paths[0])
	require.NoError(t, err)
	defer f.Close()
	source, _, err := wav.Decode(f, codec.Hint{Size: codec.SizeUnknown})
	require.NoError(t, err)
	require.Equal(t, 2, source.Format().NumChannels)
	require.Equal(t, 8000, source.Format().SampleRate)
	samples := make([]float32, 2*8000*60)
	n, _ := audio.ReadFull(source, samples)
	for i := range n {
		left, right = append(left, samples[2*i]), append(right, samples[2*i+1])
	}
	return left, right
}

// heard is for how many seconds there is a tone (Goertzel over 20 ms).
func heard(x []float32, hz float64) float64 {
	const n = 160
	seconds := 0.0
	for i := 0; i+n <= len(x); i += n {
		c := 2 * math.Cos(2*math.Pi*hz/8000)
		var a, b float64
		for _, v := range x[i : i+n] {
			a, b = float64(v)+c*a-b, a
		}
		if 2*math.Sqrt(max(0, a*a+b*b-c*a*b))/n > 0.1 { // of an amplitude of 0.24
			seconds += frame.Seconds()
		}
	}
	return seconds
}

func heardBetween(x []float32, hz, from, to float64) float64 {
	return heard(x[int(from*8000):min(len(x), int(to*8000))], hz)
}

// begins is when the first sound is, in seconds.
func begins(x []float32) float64 {
	for i, v := range x {
		if math.Abs(float64(v)) > 0.02 {
			return float64(i) / 8000
		}
	}
	return -1
}

// hole is the first silence of 100 ms or more after the first sound.
func hole(x []float32) (from, to float64) {
	quiet, began := 0, int(begins(x)*8000)
	for i := began; i < len(x); i++ {
		if math.Abs(float64(x[i])) < 0.01 {
			quiet++
			continue
		}
		if quiet >= 800 {
			return float64(i-quiet) / 8000, float64(i) / 8000
		}
		quiet = 0
	}
	return -1, -1
}
