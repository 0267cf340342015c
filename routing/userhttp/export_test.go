package userhttp

import "github.com/switchtape/switchtape/callmodel/problem/contracttest"

// Routes are the endpoints, for the comparison with the contract.
func (h *Handler) Routes() []contracttest.Route {
	var list []contracttest.Route
	for _, r := range h.routes() {
		list = append(list, contracttest.Route{Pattern: r.pattern, Scope: r.scope, Door: r.door})
	}
	return list
}
