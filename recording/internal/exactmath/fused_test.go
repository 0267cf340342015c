package exactmath_test

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// recordingDir is the directory of the packages that make recordings, which are
// checked, all of them but those for tests.
const (
	recordingDir = "../.."
	forTests     = "recordingtest"
)

// fused is a fused multiply-add of arm64 or of amd64 in an assembly listing, or
// in a source in assembly.
var fused = regexp.MustCompile(`\s(VFN?M(?:ADD|SUB)\w*|FN?M(?:ADD|SUB)[SD]?)\s`)

// fusing are processors for which the compiler fuses what it may.
var fusing = [][]string{{"GOARCH=arm64"}, {"GOARCH=amd64", "GOAMD64=v3"}}

// compile gives the instructions that the compiler fuses in packages, each with
// its place. It is run in dir.
func compile(t *testing.T, dir string, env []string, packages ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"build", "-gcflags=-S"}, packages...)...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0"), env...)
	listing, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var found []string
	last := ""
	instructions := 0
	in := bufio.NewScanner(listing)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		last = in.Text()
		// 0x0014 00020 (/path/rate.go:116)	FMADDD	F0, F1, F2, F3
		_, place, ok := strings.Cut(last, "(")
		if !ok || !strings.HasPrefix(last, "\t0x") {
			continue
		}
		instructions++
		if m := fused.FindStringSubmatch(place); m != nil {
			place, _, _ = strings.Cut(place, ")")
			found = append(found, place+" "+m[1])
		}
	}
	require.NoError(t, in.Err())
	require.NoError(t, cmd.Wait(), last)
	require.Positive(t, instructions, "there is no listing")
	return found
}

// In no package that makes recordings does the compiler fuse a multiplication
// with an addition.
func TestNothingIsFused(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	// A package of tests alone is none that can be built.
	list := exec.CommandContext(t.Context(), "go", "list", "-f", "{{if .GoFiles}}{{.ImportPath}}{{end}}", "./...")
	list.Dir = recordingDir
	out, err := list.Output()
	require.NoError(t, err)
	packages := slices.DeleteFunc(strings.Fields(string(out)), func(p string) bool { return strings.Contains(p, "/"+forTests) })
	require.Greater(t, len(packages), 15)
	t.Logf("checked: %s", strings.Join(packages, " "))
	for _, env := range fusing {
		assert.Empty(t, compile(t, recordingDir, env, packages...), "for %s. Convert the product to its own type: float64(x*y) + z", env)
	}
	require.NoError(t, filepath.WalkDir(recordingDir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".s" {
			return err
		}
		text, err := os.ReadFile(path)
		assert.NotRegexp(t, fused, string(text), path)
		return err
	}))
}

// The check finds what is fused: across statements, too, and not what a
// conversion keeps apart.
func TestFusingIsFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module fused\n\ngo 1.26.0\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "fused.go"), []byte(`package fused

func Plus(x, y, z float64) float64 {
	return x*y + z // line 4
}

func Statements(x, y, z float32) float32 {
	p := x * y
	return z - p // line 9
}

func Apart(x, y, z float64) float64 { return float64(x*y) + z }
`), 0o600))
	for _, env := range fusing {
		found := compile(t, dir, env, ".")
		require.NotEmpty(t, found, env)
		for _, f := range found {
			require.Regexp(t, `fused\.go:[489] `, f, env)
		}
	}
	require.Len(t, compile(t, dir, fusing[0], "."), 2)
}

// exact are the functions of math that give the same bits everywhere: what they
// do needs no rounding, or is one operation of IEEE 754. constants are its
// constants.
var (
	exact = []string{
		"Abs", "Ceil", "Copysign", "Float32bits", "Float32frombits", "Float64bits", "Float64frombits", "Floor", "Frexp",
		"Inf", "IsInf", "IsNaN", "Ldexp", "Max", "Min", "NaN", "Nextafter32", "Round", "RoundToEven", "Signbit", "Sqrt", "Trunc",
	}
	constants = regexp.MustCompile(`^(Pi|E|Phi|Sqrt(2|E|Pi|Phi)|Ln(2|10)|Log(2|10)E|(Max|Min)(Int|Uint|Float)\d*|Smallest\w+)$`)
)

// No package that makes recordings uses a function of math whose last bit may be
// another one on another machine.
func TestOnlyExactMath(t *testing.T) {
	t.Parallel()
	files := 0
	require.NoError(t, filepath.WalkDir(recordingDir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == forTests:
			return fs.SkipDir
		case filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files++
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, u := range inexact(t, path, source) {
			assert.Fail(t, "not the same everywhere", "%s: take what exactmath has, or add it there", u)
		}
		return nil
	}))
	require.Greater(t, files, 150)
	require.Equal(t, []string{"x.go:4: math.Exp", "x.go:5: math.FMA", "x.go:2: math/cmplx"}, inexact(t, "x.go", []byte(`package x
import ( m "math"; "math/cmplx" )

func f(x float64) float64 { return m.Exp(x) * m.Sqrt(m.Pi) }
var g = m.FMA
var h = cmplx.Abs
`)))
}

// inexact lists where a file uses what isn't exact of math, and math/cmplx.
func inexact(t *testing.T, path string, source []byte) []string {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, source, parser.SkipObjectResolution)
	require.NoError(t, err)
	var uses []string
	place := func(at token.Pos) string { return fmt.Sprintf("%s:%d", path, fset.Position(at).Line) }
	for _, spec := range file.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		require.NoError(t, err)
		if name == "math/cmplx" {
			uses = append(uses, place(spec.Pos())+": "+name)
		}
		if name != "math" {
			continue
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := s.X.(*ast.Ident); ok && x.Name == name && !slices.Contains(exact, s.Sel.Name) && !constants.MatchString(s.Sel.Name) {
				uses = append(uses, place(s.Pos())+": math."+s.Sel.Name)
			}
			return true
		})
	}
	return uses
}
