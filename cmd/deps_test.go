package cmd_test

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/switchtape/switchtape/"

// Parts of import paths that tell what is linked.
var (
	amazon  = []string{"github.com/aws/", "gocloud.dev/aws", "blob/s3blob"}
	google  = []string{"cloud.google.com/go/storage", "google.golang.org/api/storage", "gocloud.dev/gcp", "blob/gcsblob", "envoyproxy", "cncf/xds", "grpc/xds"}
	azure   = []string{"github.com/Azure/", "github.com/AzureAD/", "gocloud.dev/azure", "blob/azureblob"}
	clouds  = slices.Concat(amazon, google, azure, []string{"cloud.google.com/"})
	sql     = []string{"database/sql", "modernc.org/", "jackc/pgx", "pressly/goose"}
	gocloud = []string{"gocloud.dev"}
	audio   = []string{"go-audio", "go-mp3", "mewkiz"}
	http    = []string{"net/http"}
	// What Google's client needs for direct paths by gRPC: a release leaves it out.
	direct = []string{"envoyproxy", "cncf/xds", "grpc/xds"}
	// Brokers' clients.
	brokers = []string{"nats-io", "rabbitmq", "gocloud.dev/pubsub", "azservicebus", "service/sqs", "service/sns", "cloud.google.com/go/pubsub"}
)

// What a program gets with each package that it imports. Every package more is
// compiled by everybody who builds it: the bounds are what there is, and little
// to spare.
func TestPackagesBring(t *testing.T) {
	t.Parallel()
	room := func(names ...string) []string {
		var paths []string
		for _, n := range names {
			paths = append(paths, module+n)
		}
		return paths
	}
	for _, c := range []struct {
		pkg, tags string
		atMost    int // packages, the standard library's included
		none      []string
	}{
		{"callmodel", "", 90, slices.Concat(http, sql, clouds, gocloud, audio, room("routing", "recording", "storage", "cmd"))},
		{"routing", "", 150, slices.Concat(http, sql, clouds, gocloud, audio, room("recording", "storage", "cmd"))},
		{"routing/callhttp", "", 300, slices.Concat(sql, clouds, gocloud, audio, room("recording", "storage", "cmd"))},
		{"recording", "", 150, slices.Concat(http, sql, clouds, gocloud, room("routing", "storage", "cmd"))},
		{"recording/worker", "", 160, slices.Concat(http, sql, clouds, gocloud, room("routing", "storage", "cmd"))},
		{"recording/recordinghttp", "", 225, slices.Concat(sql, clouds, gocloud, brokers, room("routing", "storage", "cmd"))},
		{"recording/intake", "", 125, slices.Concat(http, sql, clouds, gocloud, brokers, room("routing", "storage", "cmd"))},
		{"recording/reconcile", "", 100, slices.Concat(http, sql, clouds, gocloud, brokers, audio, room("routing", "storage", "cmd"))},
		{"recording/publish", "", 100, slices.Concat(http, sql, clouds, gocloud, brokers, room("routing", "storage", "cmd"))},
		// Its HTTP client is 170 of them; the port of traces is one.
		{"recording/webhook", "", 201, slices.Concat(sql, clouds, gocloud, brokers, room("routing", "storage", "cmd"))},
		{"recording/task/dataexport", "", 150, slices.Concat(sql, clouds, gocloud, brokers, audio, room("routing", "storage", "cmd"))},
		{"recording/exporthttp", "", 220, slices.Concat(sql, clouds, gocloud, brokers, room("routing", "storage", "cmd"))},
		// What is gone, and what can't be read, are a package each.
		{"recording/sharehttp", "", 212, slices.Concat(sql, clouds, gocloud, brokers, room("routing", "storage", "cmd"))},
		{"recording/webhookhttp", "", 200, slices.Concat(sql, clouds, gocloud, brokers, audio, room("routing", "storage", "cmd"))},
		{"recording/broker/nats", "", 215, slices.Concat(sql, clouds, gocloud, audio, room("routing", "storage", "cmd"))},
		{"recording/broker/rabbit", "", 170, slices.Concat(http, sql, clouds, gocloud, audio, room("routing", "storage", "cmd"))},
		{"recording/broker/sqs", "", 490, slices.Concat(sql, google, azure, audio, room("routing", "storage", "cmd"))},
		{"recording/broker/servicebus", "", 470, slices.Concat(sql, amazon, google, audio, room("routing", "storage", "cmd"))},
		{"recording/broker/gcppubsub", "", 508, slices.Concat(sql, amazon, azure, audio, direct, room("routing", "storage", "cmd"))},
		{"storage", "", 400, slices.Concat(sql, clouds, audio, room("routing", "recording", "cmd"))},
		{"storage/encrypt", "", 415, slices.Concat(sql, clouds, audio, room("routing", "recording", "cmd"))},
		{"storage/s3", "", 510, slices.Concat(sql, google, azure, []string{"cloud.google.com/"}, audio)},
		{"storage/gcs", "", 710, slices.Concat(sql, amazon, azure, audio)},
		{"storage/gcs", "disable_grpc_modules", 565, slices.Concat(sql, amazon, azure, audio, direct)},
		{"storage/azure", "", 555, slices.Concat(sql, amazon, google, audio)},
		// The vocabularies of holds and deletions, and of share links, are a package each.
		{"storage/calldb", "", 264, slices.Concat(http, clouds, gocloud, audio, room("routing", "recording", "cmd"))},
		// With NATS: its client is 14 packages of its own, and what they need. The decoders of
		// legs in AU, G.722, G.726 and Dialogic's ADPCM are a package each, and so are seams,
		// the comparison of what there is, legs' deletion, edits of single rules, deletions, the doctor, the
		// shadow and the capacity, exports and shares with their handlers, the console, what can't be read and the progress of long commands, and so are the port of traces, what sends them by OTLP, and three of
		// OpenTelemetry's SDK, of which the buckets' drivers bring the rest, and the programs' clock. go-mp3 is 9 and io/ioutil, and mewkiz/flac 3 beside its frames, which are read anyway.
		// Recordings are encrypted by age and what it needs, 12 packages; key services are 3 and Amazon's 6.
		{"cmd/switchtape", "", 812, slices.Concat(google, azure, []string{"cloud.google.com/", "/xds", "envoyproxy"})},
		// Everything else comes to 960, webhooks' 3 packages, exports' and shares' 6, the doctor, the console and what can't be read included; brokers add 75: NATS 21, RabbitMQ 3, SQS and SNS 23,
		// Service Bus 22, Google's Pub/Sub 6; traces 5;
		// encryption 30: age, and the key services of three clouds, 22.
		{"cmd/switchtape-api", "disable_grpc_modules", 1072, direct},
		{"cmd/switchtape-worker", "disable_grpc_modules", 1072, direct},
	} {
		t.Run(strings.TrimSpace(c.pkg+" "+c.tags), func(t *testing.T) {
			t.Parallel()
			deps := dependencies(t, module+c.pkg, c.tags)
			assert.LessOrEqual(t, len(deps), c.atMost)
			for _, d := range deps {
				for _, part := range c.none {
					assert.NotContains(t, d, part)
				}
			}
		})
	}
}

// The services open the buckets of every cloud, and the command S3's.
func TestBinariesHaveTheirDrivers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		binary string
		has    []string
	}{
		{"switchtape", []string{"s3"}},
		{"switchtape-api", []string{"azure", "gcs", "s3"}},
		{"switchtape-worker", []string{"azure", "gcs", "s3"}},
	} {
		var has []string
		for _, d := range dependencies(t, module+"cmd/"+c.binary, "") {
			if name, ok := strings.CutPrefix(d, module+"storage/"); ok && slices.Contains([]string{"azure", "gcs", "s3"}, name) {
				has = append(has, name)
			}
		}
		slices.Sort(has)
		assert.Equal(t, c.has, has, c.binary)
	}
}

// dependencies are the import paths of what pkg links, itself included.
func dependencies(t *testing.T, pkg, tags string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", tags, pkg)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("%v: %s", err, exit.Stderr)
	}
	require.NoError(t, err)
	// The interfaces of database/sql come with UUIDs, without any database.
	return slices.DeleteFunc(strings.Fields(string(out)), func(path string) bool { return path == "database/sql/driver" })
}
