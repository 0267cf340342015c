package callhttp

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"sync"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/trunk"
)

// ruleCache keeps the compiled active rule set of every tenant that was seen.
// Only a tenant's first call waits for the store.
type ruleCache struct {
	store    callmodel.RuleSetStore
	platform callmodel.TenantID
	log      *slog.Logger
	table    routing.Table
	mu       sync.Mutex
	known    map[callmodel.TenantID]string // the active version's hash, "" for none
	changes  map[callmodel.TenantID]int    // grows with every change that is put in service
	trunks   *trunks
}

func newRuleCache(store callmodel.RuleSetStore, platform callmodel.TenantID, log *slog.Logger, t *trunks) *ruleCache {
	return &ruleCache{store: store, platform: platform, log: log, known: map[callmodel.TenantID]string{}, changes: map[callmodel.TenantID]int{}, trunks: t}
}

// router is the tenant's router, or the platform's.
func (c *ruleCache) router(ctx context.Context, t callmodel.TenantID) (*routing.Router, error) {
	if err := c.prepare(ctx, t); err != nil {
		return nil, err
	}
	if r := c.inMemory(t); r != nil {
		return r, nil
	}
	return nil, callmodel.Errorf(callmodel.CodeNoRoute, "tenant %s has no active rule set; put one with PUT /v1/rules", t)
}

// prepare has the rules of the tenant and the platform in memory.
func (c *ruleCache) prepare(ctx context.Context, t callmodel.TenantID) error {
	for _, tenant := range []callmodel.TenantID{t, c.platform} {
		if err := c.ensure(ctx, tenant); err != nil {
			return err
		}
	}
	return nil
}

// ready reports whether router would ask the store nothing.
func (c *ruleCache) ready(t callmodel.TenantID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, own := c.known[t]
	_, platform := c.known[c.platform]
	return own && (platform || c.platform == "")
}

// inMemory is router without asking the store; nil if it isn't there.
func (c *ruleCache) inMemory(t callmodel.TenantID) *routing.Router { return c.table.Get(t) }

func (c *ruleCache) ensure(ctx context.Context, t callmodel.TenantID) error {
	c.mu.Lock()
	_, seen := c.known[t]
	c.mu.Unlock()
	if seen || t == "" {
		return nil
	}
	return c.load(ctx, t)
}

// load looks up the tenant's active set and puts it in service if it is new.
// A set that doesn't compile never replaces one that does.
func (c *ruleCache) load(ctx context.Context, t callmodel.TenantID) error {
	c.mu.Lock()
	before := c.changes[t]
	c.mu.Unlock()
	stored, err := c.store.ActiveRuleSet(ctx, t)
	if callmodel.CodeOf(err) == callmodel.CodeNotFound {
		c.serveIf(t, "", nil, before)
		return nil
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	same := c.known[t] == stored.Hash
	c.mu.Unlock()
	if same {
		return nil
	}
	r, err := compile(stored.Body)
	if err != nil {
		return callmodel.Errorf(callmodel.CodeInternal, "rule set %s of tenant %s is stored but doesn't compile: %w", stored.Hash, t, err)
	}
	if c.serveIf(t, stored.Hash, r, before) {
		c.log.InfoContext(ctx, "rule set in service", "tenant", t, "ruleset", stored.Hash)
	}
	return nil
}

// serve puts the router in service.
func (c *ruleCache) serve(t callmodel.TenantID, hash string, r *routing.Router) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(t, hash, r)
}

// serveIf does, unless another was since the store was asked: what was read
// before a change must not undo it.
func (c *ruleCache) serveIf(t callmodel.TenantID, hash string, r *routing.Router, before int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes[t] != before {
		return false
	}
	c.put(t, hash, r)
	return true
}

func (c *ruleCache) put(t callmodel.TenantID, hash string, r *routing.Router) {
	c.known[t] = hash
	c.changes[t]++
	c.trunks.configure(t, r)
	c.table.Set(t, r)
	if t == c.platform {
		c.table.Set("", r)
	}
}

func (c *ruleCache) refresh(ctx context.Context) {
	c.mu.Lock()
	tenants := make([]callmodel.TenantID, 0, len(c.known))
	for t := range c.known {
		tenants = append(tenants, t)
	}
	c.mu.Unlock()
	for _, t := range tenants {
		one, cancel := context.WithTimeout(ctx, storeWait)
		err := c.load(one, t)
		cancel()
		if err != nil && ctx.Err() == nil {
			c.log.ErrorContext(ctx, "the active rule set could not be refreshed; the one in service stays", "tenant", t, "error", err)
		}
	}
}

func compile(body []byte) (*routing.Router, error) {
	rs, err := routing.Parse(body)
	if err != nil {
		return nil, err
	}
	return routing.Compile(rs)
}

// ruleSetInfo describes a version.
type ruleSetInfo struct {
	Hash      string `json:"hash"`
	Active    bool   `json:"active"`
	CreatedAt string `json:"created_at,omitempty"`
	CreatedBy string `json:"created_by,omitempty"`
}

func (h *Handler) putRules(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	body, err := problem.Body(w, r, maxRulesBody)
	if err != nil {
		return err
	}
	hash, err := h.InstallRules(r.Context(), p.TenantID, body, p.Subject)
	if err != nil {
		return err
	}
	problem.WriteJSON(w, http.StatusOK, ruleSetInfo{Hash: hash, Active: true})
	return nil
}

// InstallRules checks, stores and activates a rule set, and puts it in service
// here at once. Its hash is returned. Faults are callmodel.FieldErrors, and
// then the set in service stays.
func (h *Handler) InstallRules(ctx context.Context, t callmodel.TenantID, body []byte, actor string) (string, error) {
	rs, err := routing.Parse(body)
	if err != nil {
		return "", err
	}
	router, err := routing.Compile(rs)
	if err != nil {
		return "", err
	}
	format := "yaml"
	if bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), " \t\r\n"), []byte("{")) {
		format = "json"
	}
	stored := callmodel.StoredRuleSet{TenantID: t, Hash: router.Hash(), Format: format, Body: body, CreatedBy: actor}
	if err := h.stores.PutRuleSet(ctx, stored, actor); err != nil {
		return "", err
	}
	if err := h.stores.ActivateRuleSet(ctx, t, stored.Hash, actor); err != nil {
		return "", err
	}
	h.rules.serve(t, stored.Hash, router)
	return stored.Hash, nil
}

func (h *Handler) listRules(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	sets, err := h.stores.RuleSets(r.Context(), p.TenantID)
	if err != nil {
		return err
	}
	out := struct {
		RuleSets []ruleSetInfo `json:"rulesets"`
	}{RuleSets: make([]ruleSetInfo, 0, len(sets))}
	for _, s := range sets {
		out.RuleSets = append(out.RuleSets, ruleSetInfo{
			Hash: s.Hash, Active: s.Active, CreatedAt: s.CreatedAt.UTC().Format("2006-01-02T15:04:05.000Z"), CreatedBy: s.CreatedBy,
		})
	}
	problem.WriteJSON(w, http.StatusOK, out)
	return nil
}

func (h *Handler) activateRules(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	hash := r.PathValue("hash")
	stored, err := h.stores.RuleSet(r.Context(), p.TenantID, hash)
	if err != nil {
		return err
	}
	router, err := compile(stored.Body)
	if err != nil {
		return err
	}
	if err := h.stores.ActivateRuleSet(r.Context(), p.TenantID, hash, p.Subject); err != nil {
		return err
	}
	h.rules.serve(p.TenantID, hash, router)
	problem.WriteJSON(w, http.StatusOK, ruleSetInfo{Hash: hash, Active: true})
	return nil
}

// group is the state of the destinations that the tenant's router knows, or nil.
func (c *ruleCache) group(t callmodel.TenantID) *trunk.Group {
	c.mu.Lock()
	hash := c.known[t]
	c.mu.Unlock()
	if hash == "" {
		t = c.platform
	}
	return c.trunks.group(t)
}

// live is group as the router wants it: nil when there is none.
func (c *ruleCache) live(t callmodel.TenantID) routing.Live {
	if g := c.group(t); g != nil {
		return g
	}
	return nil
}
