{{- define "maptask.fullname" -}}
{{- if contains "maptask-operator" .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-maptask-operator" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "maptask.selector" -}}
app.kubernetes.io/name: maptask-operator
app.kubernetes.io/instance: {{ .Release.Name }}
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
