{{- define "maptask.name" -}}
{{- .Values.nameOverride | default "maptask-operator" | trunc 55 | trimSuffix "-" -}}
{{- end -}}

{{- /* At most 55 characters, so that "-metrics" still fits into the 63 characters of a Service's name. */ -}}
{{- define "maptask.fullname" -}}
{{- $name := include "maptask.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 55 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 55 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 55 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "maptask.selector" -}}
app.kubernetes.io/name: {{ include "maptask.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- /* By component, `kubectl maptask doctor` finds the Deployment, whatever its name. No selector has it: those can't change. */ -}}
{{- define "maptask.ownLabels" -}}
{{ include "maptask.selector" . }}
maptask.dev/component: operator
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "maptask.labels" -}}
{{ include "maptask.ownLabels" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Of the objects of `helm test`: no Service and no budget of the operator selects them. */ -}}
{{- define "maptask.testLabels" -}}
app.kubernetes.io/name: {{ include "maptask.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "maptask.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "maptask.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- /* The Service of the exchange, and the Secret with the operator's own certificate. */ -}}
{{- define "maptask.workers" -}}
{{- include "maptask.fullname" . -}}-workers
{{- end -}}

{{- define "maptask.image" -}}
{{- with .Values.image -}}
{{- if .registry }}{{ .registry | trimSuffix "/" }}/{{ end }}{{ .repository }}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end -}}

{{- /* Which series are this release's: the labels that ServiceMonitor and PodMonitor set, or those that are given. */ -}}
{{- define "maptask.series" -}}
{{- .Values.alerts.selector | default (printf "namespace=\"%s\",pod=~\"%s\"" .Release.Namespace (include "maptask.podPattern" .)) -}}
{{- end -}}

{{- /* The names of this release's pods, and of no other's: NAME, a hash of at most ten characters, and five random ones.
Kubernetes cuts what is before the random ones to 58 characters, and with it the hash behind a name of 47 or more: then the
whole name has 63. */ -}}
{{- define "maptask.podPattern" -}}
{{- $name := include "maptask.fullname" . -}}
{{- $rest := "[a-z0-9]+-[a-z0-9]{5}" -}}
{{- if gt (len $name) 46 -}}
{{- $rest = printf "(%s|[a-z0-9]{%d})" $rest (sub 62 (len $name)) -}}
{{- end -}}
{{- printf "%s-%s" $name $rest -}}
{{- end -}}
