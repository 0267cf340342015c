// Package rulehttp serves the tools to work on rule sets over HTTP: what a set
// would change, and whether it is right, before it is in service; other systems'
// tables as a set; and a set as files. It stores nothing.
//
//	                                                                       needs the scope
//	GET  /v1/rules/{hash}               a version: ?format=json, yaml, text or csv (a ZIP)      rules:read
//	POST /v1/rules/import               other systems' tables as a rule set, and what is lost   rules:write
//	POST /v1/rules/check                what is wrong with a rule set, and what its author
//	                                    can't have meant                                        rules:write
//	POST /v1/rules/diff                 which of some calls two sets route differently          rules:write
//	POST /v1/rules/explain              what a set decides for a call, and why                  rules:write
//	POST /v1/rules/simulate             some calls through a set, against its limits            rules:write
//
//	request ─▶ your authentication ─▶ rulehttp ─┬▶ dialimport, lint, diff, simulate
//	           (a callmodel.Principal           └▶ Rules: the stored versions that it names
//	            in the context)
//
// Changing which rules are in service is package callhttp's. Mount both on one
// mux, or this one alone:
//
//	callhttp.New(service, nil).Mount(mux)
//	rulehttp.New(service, nil).Mount(mux)
//
// Bodies are rules or what is said of them: up to 64 MiB as they are, up to 512 MiB
// with Content-Encoding gzip (one member) or, of rules, as application/x-ndjson, the
// set without its rules on the first line and each rule on a line of its own. Bodies
// are read before anything is held that others wait for; the work on them, which
// takes seconds of a processor and a dozen times their size of memory, goes through
// the budget of Rules.RuleWork, which the rules that are installed go through too.
//
// The handler owns no listener and does no authentication: the host puts a
// callmodel.Principal in the request's context, and everything here is within
// its tenant. Errors are application/problem+json with every fault at once.
package rulehttp
