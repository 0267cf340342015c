// Package check renders the chart with Helm's own engine, reads what comes out strictly by the
// types of Kubernetes, the Gateway API, KEDA and the Prometheus operator, and starts the
// programs as the pods would. It is a module of its own, as all that is heavy.
package check_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	keda "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

const release = "calls"

// types are those that the chart may make.
func types(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		apps.AddToScheme, autoscaling.AddToScheme, batch.AddToScheme, core.AddToScheme, networking.AddToScheme, policy.AddToScheme,
		gateway.Install, keda.AddToScheme, monitoring.AddToScheme,
	} {
		require.NoError(t, add(s))
	}
	return s
}

// rendered are the chart's objects, by kind and name.
type rendered map[string]runtime.Object

// render renders the chart with files of values and with more.
func render(t *testing.T, more map[string]any, files ...string) (rendered, error) {
	t.Helper()
	chart, err := loader.Load("../switchtape")
	require.NoError(t, err)
	values := map[string]any{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		part := map[string]any{}
		require.NoError(t, yaml.UnmarshalStrict(text, &part))
		values = util.CoalesceTables(part, values)
	}
	values = util.CoalesceTables(more, values)
	all, err := util.ToRenderValues(chart, values, common.ReleaseOptions{Name: release, Namespace: "voice", IsInstall: true}, common.DefaultCapabilities.Copy())
	require.NoError(t, err)
	texts, err := engine.Render(chart, all)
	if err != nil {
		return nil, err
	}
	scheme, objects := types(t), rendered{}
	for name, text := range texts {
		if strings.HasSuffix(name, ".tpl") {
			continue
		}
		for document := range strings.SplitSeq("\n"+text, "\n---\n") {
			if strings.TrimSpace(document) == "" {
				continue
			}
			var head meta.TypeMeta
			require.NoError(t, yaml.Unmarshal([]byte(document), &head), "%s:\n%s", name, document)
			object, err := scheme.New(head.GroupVersionKind())
			require.NoError(t, err, "%s:\n%s", name, document)
			require.NoError(t, yaml.UnmarshalStrict([]byte(document), object), "%s:\n%s", name, document)
			named, ok := object.(meta.Object)
			require.True(t, ok)
			key := head.Kind + "/" + named.GetName()
			require.NotContains(t, objects, key)
			objects[key] = object
		}
	}
	return objects, nil
}

func must(t *testing.T, more map[string]any, files ...string) rendered {
	t.Helper()
	objects, err := render(t, more, files...)
	require.NoError(t, err)
	return objects
}

// get is an object of the chart.
func get[T runtime.Object](t *testing.T, r rendered, key string) T {
	t.Helper()
	object, ok := r[key].(T)
	require.True(t, ok, "%s: there are %v", key, slices.Sorted(maps.Keys(r)))
	return object
}

// pods are the pods' templates, by the kind and name of what makes them.
func (r rendered) pods() map[string]*core.PodTemplateSpec {
	all := map[string]*core.PodTemplateSpec{}
	for key, object := range r {
		switch o := object.(type) {
		case *apps.Deployment:
			all[key] = &o.Spec.Template
		case *apps.StatefulSet:
			all[key] = &o.Spec.Template
		case *apps.DaemonSet:
			all[key] = &o.Spec.Template
		case *batch.Job:
			all[key] = &o.Spec.Template
		case *batch.CronJob:
			all[key] = &o.Spec.JobTemplate.Spec.Template
		}
	}
	return all
}

// regions are the files of values that the repository has.
func regions(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../regions/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// TestObjects: with each region's values there is what a region needs, and every pod is as
// bare as it can be.
func TestObjects(t *testing.T) {
	for _, file := range append(regions(t), "") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var files []string
			if file != "" {
				files = append(files, file)
			}
			objects := must(t, nil, files...)
			worker := "Deployment"
			if _, daemons := objects["DaemonSet/calls-worker"]; daemons {
				worker = "DaemonSet"
			}
			for _, key := range []string{
				"Deployment/calls-api", "StatefulSet/calls-emergency", worker + "/calls-worker", "Job/calls-migrate", "CronJob/calls-backup",
				"PersistentVolumeClaim/calls-backup", "HorizontalPodAutoscaler/calls-api", "Service/calls-api", "Service/calls-emergency",
				"Service/calls-emergency-pods", "PodDisruptionBudget/calls-api", "PodDisruptionBudget/calls-emergency", "PodDisruptionBudget/calls-worker",
				"HTTPRoute/calls-api", "HTTPRoute/calls-emergency", "NetworkPolicy/calls-api", "NetworkPolicy/calls-emergency", "NetworkPolicy/calls-worker",
				"NetworkPolicy/calls-migrate", "NetworkPolicy/calls-backup", "PodMonitor/calls", "ServiceAccount/calls",
			} {
				assert.Contains(t, objects, key)
			}
			for key, pod := range objects.pods() {
				bare(t, key, pod)
			}
		})
	}
}

// bare fails where a pod may do what it needn't.
func bare(t *testing.T, key string, pod *core.PodTemplateSpec) {
	t.Helper()
	s := &pod.Spec
	require.NotNil(t, s.SecurityContext, key)
	assert.True(t, *s.SecurityContext.RunAsNonRoot, key)
	assert.NotZero(t, *s.SecurityContext.RunAsUser, key)
	assert.Equal(t, core.SeccompProfileTypeRuntimeDefault, s.SecurityContext.SeccompProfile.Type, key)
	assert.False(t, *s.AutomountServiceAccountToken, key)
	assert.False(t, s.HostNetwork || s.HostPID || s.HostIPC, key)
	for i := range s.Containers {
		c := &s.Containers[i]
		assert.True(t, *c.SecurityContext.ReadOnlyRootFilesystem, key)
		assert.False(t, *c.SecurityContext.AllowPrivilegeEscalation, key)
		assert.Equal(t, []core.Capability{"ALL"}, c.SecurityContext.Capabilities.Drop, key)
		assert.False(t, c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero(), key)
		for _, e := range c.Env {
			assert.NotRegexp(t, "(?i)(PASSWORD|SECRET|TOKEN|DB)$", e.Name, "%s: a secret in clear", key)
		}
		for _, m := range c.VolumeMounts {
			assert.True(t, slices.ContainsFunc(s.Volumes, func(v core.Volume) bool { return v.Name == m.Name }) || m.Name == "state", "%s: nobody has the volume %s", key, m.Name)
		}
		if c.Name == "migrate" || c.Name == "backup" {
			continue
		}
		for _, p := range []*core.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
			require.NotNil(t, p, key)
			assert.True(t, slices.ContainsFunc(c.Ports, func(port core.ContainerPort) bool { return port.Name == p.HTTPGet.Port.StrVal }), key)
		}
	}
}

// TestSelectors: what chooses pods by their labels chooses those that it is meant for.
func TestSelectors(t *testing.T) {
	objects := must(t, map[string]any{"canary": map[string]any{"enabled": true, "tag": "0.2.0"}})
	pods := objects.pods()
	chosen := func(selector *meta.LabelSelector) []string {
		s, err := meta.LabelSelectorAsSelector(selector)
		require.NoError(t, err)
		var all []string
		for key, pod := range pods {
			if s.Matches(labels(pod.Labels)) {
				all = append(all, key)
			}
		}
		slices.Sort(all)
		return all
	}
	for key, want := range map[string][]string{
		"PodDisruptionBudget/calls-api": {"Deployment/calls-api"}, "PodDisruptionBudget/calls-worker": {"Deployment/calls-worker"},
		"PodDisruptionBudget/calls-emergency": {"StatefulSet/calls-emergency"},
	} {
		assert.Equal(t, want, chosen(get[*policy.PodDisruptionBudget](t, objects, key).Spec.Selector), key)
	}
	for key, want := range map[string][]string{
		"Service/calls-api": {"Deployment/calls-api"}, "Service/calls-api-canary": {"Deployment/calls-api-canary"}, "Service/calls-emergency": {"StatefulSet/calls-emergency"},
	} {
		assert.Equal(t, want, chosen(&meta.LabelSelector{MatchLabels: get[*core.Service](t, objects, key).Spec.Selector}), key)
	}
	for key, want := range map[string][]string{
		"NetworkPolicy/calls-api": {"Deployment/calls-api", "Deployment/calls-api-canary"}, "NetworkPolicy/calls-worker": {"Deployment/calls-worker"},
		"NetworkPolicy/calls-migrate": {"Job/calls-migrate"}, "NetworkPolicy/calls-backup": {"CronJob/calls-backup"},
	} {
		p := get[*networking.NetworkPolicy](t, objects, key)
		assert.Equal(t, want, chosen(&p.Spec.PodSelector), key)
		assert.Len(t, p.Spec.PolicyTypes, 2, key)
	}
	monitor := get[*monitoring.PodMonitor](t, objects, "PodMonitor/calls")
	assert.Equal(t, []string{"Deployment/calls-api", "Deployment/calls-api-canary", "Deployment/calls-worker", "StatefulSet/calls-emergency"}, chosen(&monitor.Spec.Selector))
}

type labels map[string]string

func (l labels) Has(name string) bool              { _, ok := l[name]; return ok }
func (l labels) Get(name string) string            { return l[name] }
func (l labels) Lookup(name string) (string, bool) { v, ok := l[name]; return v, ok }

// TestCanary: another version takes its share of the calls, and emergency calls go to none.
func TestCanary(t *testing.T) {
	objects := must(t, map[string]any{"canary": map[string]any{"enabled": true, "tag": "0.2.0", "weight": 7}, "image": map[string]any{"digest": "sha256:aa"}})
	image := func(key string) string { return objects.pods()[key].Spec.Containers[0].Image }
	assert.Equal(t, "registry.example.com/switchtape:0.2.0", image("Deployment/calls-api-canary"))
	for _, key := range []string{"Deployment/calls-api", "StatefulSet/calls-emergency", "Deployment/calls-worker", "Job/calls-migrate"} {
		assert.Equal(t, "registry.example.com/switchtape@sha256:aa", image(key))
	}
	refs := get[*gateway.HTTPRoute](t, objects, "HTTPRoute/calls-api").Spec.Rules[0].BackendRefs
	require.Len(t, refs, 2)
	assert.Equal(t, int32(93), *refs[0].Weight)
	assert.Equal(t, int32(7), *refs[1].Weight)
	assert.Equal(t, gateway.ObjectName("calls-api-canary"), refs[1].Name)
	emergency := get[*gateway.HTTPRoute](t, objects, "HTTPRoute/calls-emergency")
	require.Len(t, emergency.Spec.Rules[0].BackendRefs, 1)
	assert.Equal(t, gateway.SectionName("emergency"), *emergency.Spec.ParentRefs[0].SectionName)
}

// TestScaling: workers are as many as jobs that wait and run need, and none is taken away at
// its work.
func TestScaling(t *testing.T) {
	objects := must(t, map[string]any{"worker": map[string]any{"keda": map[string]any{"query": `namespace="voice"`}}})
	s := get[*keda.ScaledObject](t, objects, "ScaledObject/calls-worker")
	require.Len(t, s.Spec.Triggers, 2)
	assert.Equal(t, `sum(max by (kind, state) (switchtape_jobs{state=~"queued|running",namespace="voice"}))`, s.Spec.Triggers[0].Metadata["query"])
	assert.Equal(t, `max(switchtape_oldest_queued_job_seconds{namespace="voice"})`, s.Spec.Triggers[1].Metadata["query"])
	assert.Equal(t, `max(switchtape_oldest_queued_job_seconds{})`, get[*keda.ScaledObject](t, must(t, nil), "ScaledObject/calls-worker").Spec.Triggers[1].Metadata["query"])
	worker := get[*apps.Deployment](t, objects, "Deployment/calls-worker")
	assert.Nil(t, worker.Spec.Replicas, "KEDA says how many")
	assert.Nil(t, get[*apps.Deployment](t, objects, "Deployment/calls-api").Spec.Replicas, "the autoscaler says how many")
	assert.GreaterOrEqual(t, *worker.Spec.Template.Spec.TerminationGracePeriodSeconds, int64(120))
}

// TestValuesThatCant: values that can't be meant fail, and say what to do.
func TestValuesThatCant(t *testing.T) {
	for says, values := range map[string]map[string]any{
		"it is Deployment, or DaemonSet":          {"worker": map[string]any{"kind": "Pod"}},
		"worker.hostPath must name the directory": {"worker": map[string]any{"kind": "DaemonSet"}},
		"worker.settings.bucket must say where":   {"worker": map[string]any{"settings": map[string]any{"bucket": ""}}},
	} {
		_, err := render(t, values)
		require.ErrorContains(t, err, says)
	}
}

// TestBackupScript: the pods have the script that is tried by itself.
func TestBackupScript(t *testing.T) {
	want, err := os.ReadFile("../../backup/backup.sh")
	require.NoError(t, err)
	got := get[*core.ConfigMap](t, must(t, nil), "ConfigMap/calls-backup").Data["backup.sh"]
	assert.True(t, bytes.Equal(bytes.TrimSpace(want), bytes.TrimSpace([]byte(got))))
}
