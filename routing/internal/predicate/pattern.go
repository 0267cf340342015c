package predicate

import (
	"fmt"
	"regexp/syntax"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"
)

// maxPatternSize bounds the patterns of one predicate together, in steps of the
// machine that runs them: a text of n bytes takes up to n times as many.
const maxPatternSize = 1000

// patternFault says why the patterns of a predicate cost too much, "" if they
// don't. It must run before they are compiled: the compiler writes out what a
// count repeats, and a kilobyte of text may become gigabytes.
func patternFault(source string) string {
	tree, err := parser.Parse(source)
	if err != nil {
		return "" // the compiler reports it
	}
	p := &patterns{}
	ast.Walk(&tree.Node, p)
	return p.fault
}

type patterns struct {
	size  int
	fault string
}

// Visit is called for every node of the predicate.
func (p *patterns) Visit(node *ast.Node) {
	n, ok := (*node).(*ast.BinaryNode)
	if !ok || n.Operator != "matches" {
		return
	}
	sum := &sums{}
	ast.Walk(&n.Left, sum)
	if sum.found {
		p.fault = "what matches looks through must be one text, not several put together"
		return
	}
	text, ok := n.Right.(*ast.StringNode)
	if !ok {
		return // exprBounds refuses it
	}
	re, err := syntax.Parse(text.Value, syntax.Perl)
	if err != nil {
		return // the compiler reports it
	}
	if p.size += patternSize(re); p.size > maxPatternSize {
		p.fault = fmt.Sprintf("the patterns of matches are too large: at most %d characters and operators, "+
			"each counted as often as it may be repeated", maxPatternSize)
	}
}

type sums struct{ found bool }

// Visit is called for every node below.
func (s *sums) Visit(node *ast.Node) {
	if n, ok := (*node).(*ast.BinaryNode); ok && n.Operator == "+" {
		s.found = true
	}
}

// patternSize returns about how many steps the pattern has when its counts are
// written out. It stops counting beyond maxPatternSize.
func patternSize(re *syntax.Regexp) int {
	size := 1
	for _, sub := range re.Sub {
		size = min(size+patternSize(sub), maxPatternSize+1)
	}
	switch re.Op {
	case syntax.OpLiteral:
		size = len(re.Rune)
	case syntax.OpRepeat:
		size *= max(re.Min, re.Max, 1)
	default: // one step, or those of the parts
	}
	return min(size, maxPatternSize+1)
}
