package predicate

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/routing/internal/text"
)

// MaxBytes bounds the source of one predicate.
const MaxBytes = 1024

// Limits of predicates.
const (
	maxExprNodes   = 100
	maxSources     = 10_000 // different ones of one Cache
	exprCells      = 10_000 // values that one run may make
	maxExprLiteral = 64     // values of one list
)

// callView is what a predicate sees of a call: its fields, and nothing else.
type callView struct {
	Tenant       string            `expr:"tenant"`
	CallID       string            `expr:"call_id"`
	From         string            `expr:"from"`
	To           string            `expr:"to"`
	ToPostDial   string            `expr:"to_post_dial"`
	ToParams     string            `expr:"to_params"`
	Type         string            `expr:"type"`
	Direction    string            `expr:"direction"`
	Priority     int               `expr:"priority"`
	Emergency    bool              `expr:"emergency"`
	Trunk        string            `expr:"trunk"`
	Metadata     map[string]string `expr:"metadata"`
	Capabilities []string          `expr:"capabilities"`
	User         userView          `expr:"user"`
	Callee       userView          `expr:"callee"`
}

// userView is what a predicate sees of a user. Of nobody everything is empty.
type userView struct {
	Exists     bool              `expr:"exists"`
	ID         string            `expr:"id"`
	Region     string            `expr:"region"`
	Recording  string            `expr:"recording"`
	Consent    string            `expr:"consent"`
	DND        bool              `expr:"dnd"`
	Barred     bool              `expr:"barred"`
	Barring    []string          `expr:"barring"`
	Forwarding []string          `expr:"forwarding"`
	Metadata   map[string]string `expr:"metadata"`
}

func viewOf(f *users.Facts, to string) userView {
	if f == nil {
		return userView{}
	}
	v := userView{
		Exists: true, ID: string(f.ID), Region: f.Region(), Recording: string(f.Recording()), Consent: string(f.Consent()),
		DND: f.DoNotDisturb(), Barred: f.Barred(to), Metadata: f.AllMetadata(),
	}
	for _, c := range users.BarringClasses() {
		if f.Bars(c) {
			v.Barring = append(v.Barring, string(c))
		}
	}
	for _, w := range users.ForwardConditions() {
		if f.Forwards(w) {
			v.Forwarding = append(v.Forwarding, string(w))
		}
	}
	return v
}

// Predicate is a compiled condition. It may run in any number of goroutines.
type Predicate struct {
	source  string
	program *vm.Program
	users   bool      // it asks for a user
	pool    sync.Pool // of *evaluation
}

// Source returns what the predicate was compiled from.
func (p *Predicate) Source() string { return p.source }

// AsksUsers reports whether the predicate looks at the user of a party.
func (p *Predicate) AsksUsers() bool { return p.users }

type evaluation struct {
	machine vm.VM
	call    callView
}

// compile compiles a predicate. A predicate has no loops, no functions but a few
// over one text, no clock and no I/O. Its size is bounded, and so is its time.
func compile(source string) (*Predicate, error) {
	if len(source) > MaxBytes {
		return nil, fmt.Errorf("has %d bytes, at most %d are taken", len(source), MaxBytes)
	}
	if why := patternFault(source); why != "" {
		return nil, fmt.Errorf("%q is not a condition over the call: %s", text.Clip(source), why)
	}
	bounds := &exprBounds{}
	program, err := expr.Compile(source,
		expr.Env(callView{}), expr.AsBool(), expr.WarnOnAny(), expr.MaxNodes(maxExprNodes),
		expr.DisableAllBuiltins(), expr.EnableBuiltin("len"), expr.EnableBuiltin("lower"), expr.EnableBuiltin("upper"), expr.EnableBuiltin("trim"),
		expr.Patch(bounds))
	if err == nil && bounds.fault != "" {
		err = errors.New(bounds.fault)
	}
	if err != nil {
		return nil, fmt.Errorf("%q is not a condition over the call: %s", text.Clip(source), strings.Join(strings.Fields(err.Error()), " "))
	}
	p := &Predicate{source: source, program: program, users: bounds.users}
	p.pool.New = func() any { return &evaluation{machine: vm.VM{MemoryBudget: exprCells}} }
	return p, nil
}

// exprBounds refuses everything that would make the time of a predicate depend on
// more than its own size.
type exprBounds struct {
	fault string
	users bool // user or callee is named
}

// Visit is called for every node of the predicate.
func (b *exprBounds) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.PredicateNode, *ast.PointerNode, *ast.SequenceNode, *ast.VariableDeclaratorNode:
		b.fault = "loops, sequences and variables are not taken"
	case *ast.IdentifierNode:
		if n.Value == "$env" {
			b.fault = "$env is not taken; name the field"
		}
		b.users = b.users || n.Value == "user" || n.Value == "callee"
	case *ast.BinaryNode:
		switch n.Operator {
		case "..":
			b.fault = "ranges with .. are not taken"
		case "**", "^":
			b.fault = "powers are not taken"
		case "matches":
			if _, constant := n.Right.(*ast.StringNode); !constant {
				b.fault = "the pattern of matches must be a text that is written out"
			}
		}
	case *ast.ArrayNode:
		if len(n.Nodes) > maxExprLiteral {
			b.fault = fmt.Sprintf("a list has more than %d values", maxExprLiteral)
		}
	}
}

// Holds reports whether the predicate holds for the call. An error is one of this
// call alone: a division by zero, or a field that is not there where the predicate
// needs it.
func (p *Predicate) Holds(req *calls.Request) (bool, error) {
	e, ok := p.pool.Get().(*evaluation)
	if !ok {
		return false, errors.New("no machine to run it") // unreachable: the pool makes them
	}
	e.call = callView{
		Tenant: string(req.TenantID), CallID: string(req.CallID), From: req.From, To: req.To, Type: string(req.Type),
		Direction: string(req.Direction), Priority: req.Priority, Emergency: req.Emergency || req.Type == calls.TypeEmergency,
		Trunk: req.Trunk, Metadata: req.Metadata, Capabilities: req.Capabilities,
		ToPostDial: req.ToPostDial, ToParams: req.ToParams,
	}
	if p.users {
		e.call.User, e.call.Callee = viewOf(req.User, req.To), viewOf(req.Callee, req.To)
	}
	if req.FromAsGiven {
		e.call.From = ""
	}
	out, err := e.machine.Run(p.program, &e.call)
	e.call = callView{} // keeps nothing of the call
	p.pool.Put(e)
	if err != nil {
		return false, err
	}
	holds, ok := out.(bool)
	if !ok {
		return false, fmt.Errorf("its result %v is not true or false", out)
	}
	return holds, nil
}

// Cache compiles each different source once. The zero value is ready. It is for
// one goroutine.
type Cache struct {
	known map[string]*Predicate
}

// Get returns the predicate of a source, or what is wrong with it.
func (p *Cache) Get(source string) (*Predicate, error) {
	if one, ok := p.known[source]; ok {
		return one, nil
	}
	if len(p.known) >= maxSources {
		return nil, fmt.Errorf("is one too many: a set may have %d different expressions; use the other conditions, which cost less", maxSources)
	}
	one, err := compile(source)
	if err != nil {
		return nil, err
	}
	if p.known == nil {
		p.known = map[string]*Predicate{}
	}
	p.known[source] = one
	return one, nil
}
