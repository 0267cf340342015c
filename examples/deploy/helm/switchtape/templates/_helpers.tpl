{{- define "switchtape.labels" -}}
app.kubernetes.io/name: switchtape
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* (list $ "component") */ -}}
{{- define "switchtape.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: switchtape
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- /* (list $ canary?) */ -}}
{{- define "switchtape.image" -}}
{{- $root := index . 0 -}}
{{- $of := ternary $root.Values.canary $root.Values.image (index . 1) -}}
{{- if $of.digest -}}
{{ $root.Values.image.repository }}@{{ $of.digest }}
{{- else -}}
{{ $root.Values.image.repository }}:{{ default $root.Chart.AppVersion $of.tag }}
{{- end -}}
{{- end }}

{{- /* The settings of one component as its file: (list $ "api"|"worker" (list of maps, the first goes before the others)) */ -}}
{{- define "switchtape.settings" -}}
{{- $root := index . 0 -}}
{{- $own := dict -}}
{{- range index . 2 }}{{ $own = merge $own (deepCopy .) }}{{ end -}}
{{- $all := merge (dict "db" "@/etc/switchtape/database/url") (deepCopy $root.Values.settings) -}}
{{- $_ := set $all (index . 1) $own -}}
{{ toYaml $all }}
{{- end }}

{{- define "switchtape.apiSettings" -}}
{{- $own := dict "listen" "0.0.0.0:8080" "admin-listener" "0.0.0.0:9090" "drain" "10s" "db-keys" true "journal" "/var/lib/switchtape/journal" "rules-snapshot" "/var/lib/switchtape/rules" -}}
{{- if .Values.tls.secret -}}
{{- $_ := set $own "tls-cert" "/etc/switchtape/tls/tls.crt" -}}
{{- $_ := set $own "tls-key" "/etc/switchtape/tls/tls.key" -}}
{{- else -}}
{{- $_ := set $own "insecure" true -}}
{{- end -}}
{{- if .Values.rules -}}
{{- $_ := set $own "rules" "/etc/switchtape/rules.yaml" -}}
{{- end -}}
{{- if .Values.worker.settings.bucket -}}
{{- $_ := set $own "bucket" .Values.worker.settings.bucket -}}
{{- end -}}
{{- if index .Values.worker.settings "backup-bucket" -}}
{{- $_ := set $own "backup-bucket" (index .Values.worker.settings "backup-bucket") -}}
{{- end -}}
{{ toYaml $own }}
{{- end }}

{{- define "switchtape.pod" -}}
automountServiceAccountToken: false
serviceAccountName: {{ .Release.Name }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "switchtape.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "switchtape.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "switchtape.envFrom" -}}
{{- with .Values.environmentSecrets }}
envFrom:
{{- range . }}
  - secretRef: {name: {{ . }}}
{{- end }}
{{- end }}
{{- end }}

{{- define "switchtape.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 2
  timeoutSeconds: 3
  failureThreshold: 2
{{- end }}

{{- /* (list $ "component" "DoNotSchedule"|"ScheduleAnyway") */ -}}
{{- define "switchtape.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: {{ index . 2 }}
    labelSelector:
      matchLabels: {{ include "switchtape.selector" . | nindent 8 }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "switchtape.selector" . | nindent 8 }}
{{- end }}

{{- /* The volumes that every program has: (list $ "component") */ -}}
{{- define "switchtape.volumes" -}}
{{- $root := index . 0 -}}
- name: settings
  configMap: {name: {{ $root.Release.Name }}-{{ index . 1 }}}
- name: database
  secret:
    secretName: {{ $root.Values.database.secret }}
    items: [{key: {{ $root.Values.database.key }}, path: url}]
{{- if and $root.Values.tls.secret (ne (index . 1) "worker") }}
- name: tls
  secret: {secretName: {{ $root.Values.tls.secret }}}
{{- end }}
- name: tmp
  emptyDir: {}
{{- end }}

{{- define "switchtape.mounts" -}}
{{- $root := index . 0 -}}
- {name: settings, mountPath: /etc/switchtape/switchtape.yaml, subPath: switchtape.yaml, readOnly: true}
{{- if and $root.Values.rules (ne (index . 1) "worker") }}
- {name: settings, mountPath: /etc/switchtape/rules.yaml, subPath: rules.yaml, readOnly: true}
{{- end }}
- {name: database, mountPath: /etc/switchtape/database, readOnly: true}
{{- if and $root.Values.tls.secret (ne (index . 1) "worker") }}
- {name: tls, mountPath: /etc/switchtape/tls, readOnly: true}
{{- end }}
- {name: tmp, mountPath: /tmp}
{{- end }}
