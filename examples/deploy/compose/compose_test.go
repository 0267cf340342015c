// Package compose_test reads the file of services and the Dockerfile as their own programs do,
// and starts what is Switchtape's of them. It is a module of its own, for their parsers.
package compose_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/examples/deploy/internal/machines"
	"github.com/switchtape/switchtape/recording/broker/brokertest"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

func TestMain(m *testing.M) { machines.Main(m) }

func project(t *testing.T) *types.Project {
	t.Helper()
	o, err := cli.NewProjectOptions([]string{"compose.yaml"})
	require.NoError(t, err)
	p, err := o.LoadProject(t.Context())
	require.NoError(t, err)
	return p
}

// TestProject: Compose reads the file; what it mounts is there; whatever waits for a service
// waits for one that there is.
func TestProject(t *testing.T) {
	p := project(t)
	for name, s := range p.Services {
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind && filepath.Base(v.Source) != "legs" {
				_, err := os.Stat(v.Source)
				require.NoError(t, err, name)
			}
		}
		for on := range s.DependsOn {
			assert.Contains(t, p.Services, on, name)
		}
		for _, port := range s.Ports {
			assert.Equal(t, "127.0.0.1", port.HostIP, "%s is for this machine alone", name)
		}
		if s.Image == "switchtape:devel" {
			assert.True(t, s.ReadOnly, name)
			assert.Equal(t, []string{"ALL"}, s.CapDrop, name)
			_, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile))
			require.NoError(t, err, name)
		}
	}
}

// TestDockerfile: BuildKit reads it, and what it copies from the build is what the build makes.
func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile("../docker/Dockerfile")
	require.NoError(t, err)
	tree, err := parser.Parse(bytes.NewReader(text))
	require.NoError(t, err)
	stages, _, err := instructions.Parse(tree.AST, nil)
	require.NoError(t, err)
	require.Len(t, stages, 2)
	assert.Empty(t, tree.Warnings)
	last := stages[1].Commands
	assert.True(t, slices.ContainsFunc(last, func(c instructions.Command) bool { _, user := c.(*instructions.UserCommand); return user }), "it runs as nobody")
	for _, program := range []string{"switchtape", "switchtape-api", "switchtape-worker"} {
		_, err := os.Stat(filepath.Join(machines.Programs(t), program))
		require.NoError(t, err)
	}
}

// TestPrograms: Switchtape's services come up with the arguments and the variables of the file.
func TestPrograms(t *testing.T) {
	p := project(t)
	bucket, broker := buckettest.S3(t), brokertest.NATS(t)
	brokertest.NewStream(t, "JOBS", "switchtape.jobs", broker)
	brokertest.NewStream(t, "EVENTS", "switchtape.events", broker)
	db := pgtest.URL(t)
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "legs"), 0o750))
	start := func(name string) (s types.ServiceConfig, proc *machines.Process, admin string) {
		s = p.Services[name]
		state := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(state, 0o750))
		env := []string{}
		for k, v := range s.Environment {
			if v != nil && !strings.HasPrefix(k, "AWS_") {
				env = append(env, k+"="+strings.ReplaceAll(*v, "postgres://switchtape:switchtape@postgres/switchtape?sslmode=disable", db))
			}
		}
		admin = machines.Address(machines.FreePort(t))
		here := strings.NewReplacer("0.0.0.0:9090", admin, "0.0.0.0:8080", "127.0.0.1:0", "0.0.0.0:8081", "127.0.0.1:0", "0.0.0.0:8082", "127.0.0.1:0",
			"/etc/switchtape/keys", abs(t, "keys"), "/etc/switchtape/rules.yaml", abs(t, "../../rules/office.yaml"), "/var/lib/switchtape", state, "=/legs", "="+filepath.Join(root, "legs"),
			"s3://recordings?region=us-east-1&endpoint=http://s3:7070&s3ForcePathStyle=true", bucket.URL, "nats:4222", broker.Host())
		args := make([]string, len(s.Command))
		for i, a := range s.Command {
			args[i] = here.Replace(a)
		}
		program := "switchtape"
		if len(s.Entrypoint) > 0 {
			program = filepath.Base(s.Entrypoint[0])
		}
		return s, machines.Start(t, env, filepath.Join(machines.Programs(t), program), args...), admin
	}
	_, migrate, _ := start("migrate")
	migrate.Wait(t)
	for _, name := range []string{"api", "emergency", "worker"} {
		_, proc, admin := start(name)
		require.Eventually(t, func() bool { return machines.Get(t, "http://"+admin+"/readyz") == http.StatusOK }, machines.Deadline, 50*time.Millisecond, "%s: %s", name, proc.Said)
	}
}

func abs(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	return path
}
