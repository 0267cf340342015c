// Package apiclient is a client of the API of switchtape-api and switchtape serve, for
// programs in Go. It is made of the OpenAPI files of the handlers, which tests hold those
// to, so that it knows every operation, parameter and field there is.
//
//	client, err := apiclient.New("https://calls.example.com", key)
//	answer, err := client.CreateCallWithResponse(ctx, nil, apiclient.CallRequest{To: "+12125550188"})
//	if call := answer.JSON201; call != nil {
//		…
//	}
//	return apiclient.Error(answer)
//
// It imports nothing else of this module.
package apiclient

//go:generate go run ./internal/gen
