package check_test

import (
	"net/http"
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
	core "k8s.io/api/core/v1"

	"github.com/switchtape/switchtape/examples/deploy/internal/machines"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

func TestMain(m *testing.M) { machines.Main(m) }

// node is a directory that stands for a pod's file system.
type node struct {
	t    *testing.T
	root string
	r    rendered
	db   string
}

// place is a path of a container below the directory.
func (n *node) place(path string) string { return filepath.Join(n.root, path) }

// mount puts what the container's volumes hold where it is mounted.
func (n *node) mount(pod *core.PodTemplateSpec, c *core.Container) {
	n.t.Helper()
	for _, m := range c.VolumeMounts {
		var v *core.Volume
		for i := range pod.Spec.Volumes {
			if pod.Spec.Volumes[i].Name == m.Name {
				v = &pod.Spec.Volumes[i]
			}
		}
		at := n.place(m.MountPath)
		switch {
		case v == nil || v.EmptyDir != nil || v.HostPath != nil: // v is nil for a claim's template
			require.NoError(n.t, os.MkdirAll(at, 0o750))
		case v.ConfigMap != nil:
			data := get[*core.ConfigMap](n.t, n.r, "ConfigMap/"+v.ConfigMap.Name).Data
			require.Contains(n.t, data, m.SubPath)
			require.NoError(n.t, os.MkdirAll(filepath.Dir(at), 0o750))
			require.NoError(n.t, os.WriteFile(at, []byte(n.here(data[m.SubPath])), 0o600))
		case v.Secret != nil:
			require.Equal(n.t, "url", v.Secret.Items[0].Path)
			require.NoError(n.t, os.MkdirAll(at, 0o750))
			require.NoError(n.t, os.WriteFile(filepath.Join(at, "url"), []byte(n.db+"\n"), 0o600))
		}
	}
}

var paths = regexp.MustCompile(`(/etc/switchtape|/var/lib/switchtape|/var/spool/asterisk)\b`)

// here names the node's directories in the place of the container's.
func (n *node) here(text string) string {
	return paths.ReplaceAllStringFunc(text, n.place)
}

// start starts the container's program with its arguments and environment, listening at free
// ports, and waits for what its probes ask for.
func (n *node) start(key string) map[string]int {
	n.t.Helper()
	pod := n.r.pods()[key]
	require.NotNil(n.t, pod, key)
	c := &pod.Spec.Containers[0]
	n.mount(pod, c)
	ports := map[string]int{}
	settings := n.place("/etc/switchtape/switchtape.yaml")
	text, err := os.ReadFile(settings)
	require.NoError(n.t, err)
	for _, p := range c.Ports {
		ports[p.Name] = machines.FreePort(n.t)
		listens := regexp.MustCompile(`0\.0\.0\.0:` + strconv.Itoa(int(p.ContainerPort)) + `\b`)
		require.Regexp(n.t, listens, string(text), "%s: nothing listens at the port %s", key, p.Name)
		text = listens.ReplaceAll(text, []byte(machines.Address(ports[p.Name])))
	}
	require.NoError(n.t, os.WriteFile(settings, text, 0o600))
	env := []string{}
	for _, e := range c.Env {
		switch {
		case e.ValueFrom == nil:
			env = append(env, e.Name+"="+strings.ReplaceAll(e.Value, "$(NODE)", "pbx-7"))
		case e.ValueFrom.FieldRef != nil && e.ValueFrom.FieldRef.FieldPath == "spec.nodeName":
			env = append(env, e.Name+"=pbx-7")
		}
	}
	args := make([]string, len(c.Args))
	for i, a := range c.Args {
		args[i] = n.here(a)
	}
	program := filepath.Join(machines.Programs(n.t), filepath.Base(c.Command[0]))
	check := exec.CommandContext(n.t.Context(), filepath.Join(machines.Programs(n.t), "switchtape"),
		"config", "check", strings.TrimPrefix(filepath.Base(c.Command[0]), "switchtape-"), "--config", settings)
	check.Env = append(os.Environ(), env...)
	out, err := check.CombinedOutput()
	require.NoError(n.t, err, "%s", out)
	p := machines.Start(n.t, env, program, args...)
	for _, probe := range []*core.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
		url := "http://" + machines.Address(ports[probe.HTTPGet.Port.StrVal]) + probe.HTTPGet.Path
		require.Eventually(n.t, func() bool { return machines.Get(n.t, url) == http.StatusOK }, machines.Deadline, 50*time.Millisecond, "%s %s: %s", key, url, p.Said)
	}
	require.Equal(n.t, http.StatusOK, machines.Get(n.t, "http://"+machines.Address(ports["admin"])+"/metrics"))
	return ports
}

// TestPrograms: the migration and the three programs do what they are for with the very
// arguments, settings, environment and probes of their pods.
func TestPrograms(t *testing.T) {
	for _, file := range regions(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			bucket := "file://" + t.TempDir()
			worker := map[string]any{"settings": map[string]any{"bucket": bucket, "backup-bucket": "file://" + t.TempDir()}}
			r := must(t, map[string]any{"worker": worker, "tls": map[string]any{"secret": ""}}, file)
			db := pgtest.URL(t)
			at := func() *node { return &node{t: t, root: t.TempDir(), r: r, db: db} }

			migrate := at()
			job := r.pods()["Job/calls-migrate"]
			c := &job.Spec.Containers[0]
			migrate.mount(job, c)
			args := make([]string, len(c.Args))
			for i, a := range c.Args {
				args[i] = migrate.here(a)
			}
			out, err := exec.CommandContext(t.Context(), filepath.Join(machines.Programs(t), filepath.Base(c.Command[0])), args...).CombinedOutput()
			require.NoError(t, err, "%s", out)

			api, emergency := at().start("Deployment/calls-api"), at().start("StatefulSet/calls-emergency")
			kind := "Deployment"
			if _, daemons := r["DaemonSet/calls-worker"]; daemons {
				kind = "DaemonSet"
				w := at()
				require.NoError(t, os.MkdirAll(w.place("/var/spool/asterisk/monitor"), 0o750))
				w.start(kind + "/calls-worker")
			} else {
				// Its legs are in a bucket, which is a directory here.
				legs := map[string]any{"bucket": bucket, "backup-bucket": "file://" + t.TempDir(), "legs": "file://" + t.TempDir()}
				w := at()
				w.r = must(t, map[string]any{"worker": map[string]any{"settings": legs}, "tls": map[string]any{"secret": ""}}, file)
				w.start(kind + "/calls-worker")
			}
			for lane, port := range map[string]int{"low": api["http"], "high": emergency["http"]} {
				status, answer := machines.Post(t, "http://"+machines.Address(port)+"/v1/calls", `{"id":"x-`+lane+`","from":"+12025550123","to":"112"}`)
				assert.Equal(t, http.StatusUnauthorized, status, "keys of the database are asked for: %s", answer)
			}
		})
	}
}
