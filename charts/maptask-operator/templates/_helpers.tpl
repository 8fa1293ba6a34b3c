{{- /* At most 55 characters, so that "-metrics" still fits into the 63 characters of a Service's name. */ -}}
{{- define "maptask.fullname" -}}
{{- if contains "maptask-operator" .Release.Name -}}
{{- .Release.Name | trunc 55 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-maptask-operator" .Release.Name | trunc 55 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "maptask.selector" -}}
app.kubernetes.io/name: maptask-operator
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "maptask.labels" -}}
{{ include "maptask.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "maptask.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "maptask.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- /* The Service of the exchange, and the Secret with the operator's own certificate. */ -}}
{{- define "maptask.workers" -}}
{{- include "maptask.fullname" . -}}-workers
{{- end -}}
