package exporthttp

import "github.com/switchtape/switchtape/callmodel/problem"

// Routes are the endpoints, for the comparison with the contract.
func (h *Handler) Routes() []problem.Route { return h.routes() }
