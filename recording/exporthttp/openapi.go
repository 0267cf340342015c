package exporthttp

import _ "embed"

//go:embed openapi.yaml
var openAPI string

// OpenAPI is the contract of the handler in OpenAPI 3.1, as YAML: every operation
// with its parameters, bodies, answers, scopes and examples. Tests hold the handler
// to it.
func OpenAPI() []byte { return []byte(openAPI) }
