// Package subprocess compiles rule sets in a process of their own, which gives way to
// every other: a set of a million rules takes seconds of a processor and leaves much to
// collect, and calls that are routed meanwhile would wait for both.
//
//	this process ── text ──▶ its program, started again ── binary form, or faults ──▶ this process
//
// The program's main function begins with [Main]:
//
//	func main() {
//		if subprocess.Main() {
//			return
//		}
//		…
//	}
//
// Then [Compile] is a callservice.Options.Compile. What it makes is what
// routing.CompileAndPack makes here: the set, by its binary form, or the same faults.
package subprocess

import (
	"bufio"
	"bytes"
	"context"
	"encoding"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
)

// name is the process's own, as ps shows it, and how it knows what it is for.
const name = "switchtape-compile-rules"

// What the answer begins with.
const (
	answerSet    = 'S' // the binary form
	answerFaults = 'F' // faults, as JSON
)

const (
	// endWait is how long a process that was told to end may leave its pipes open.
	endWait = 5 * time.Second
	// logBytes is how much is kept of what a process says when it fails.
	logBytes = 4096
)

var ready atomic.Bool //nolint:gochecknoglobals // what the program's main function has said

// Main compiles a rule set if the process was started by [Compile], and reports whether it
// was: the program ends then. Otherwise [Available] is true from then on.
func Main() bool {
	if len(os.Args) != 1 || os.Args[0] != name {
		ready.Store(true)
		return false
	}
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err) // who asked finds no answer, and tells of this
	}
	return true
}

// Available reports whether this program called [Main], so that [Compile] works.
func Available() bool { return ready.Load() }

// faults are the error of a set that can't be put in service.
type faults struct {
	Code    callmodel.Code         `json:"code"`
	Message string                 `json:"message"`
	Fields  []callmodel.FieldError `json:"fields,omitempty"`
}

func (f *faults) err() error {
	if len(f.Fields) > 0 {
		return callmodel.FieldErrors(f.Fields)
	}
	return callmodel.Errorf(f.Code, "%s", f.Message)
}

// serve reads a text and writes the answer.
func serve(in io.Reader, out io.Writer) error {
	text, err := readSized(in, routing.MaxFileBytes)
	if err != nil {
		return fmt.Errorf("read the rules: %w", err)
	}
	kind, answer, err := compile(text)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	if err := errors.Join(w.WriteByte(kind), writeSized(w, answer), w.Flush()); err != nil {
		return fmt.Errorf("write the compiled rules: %w", err)
	}
	return nil
}

func compile(text []byte) (kind byte, answer []byte, err error) {
	_, packed, err := routing.CompileAndPack(text)
	if err == nil {
		answer, err = packed.MarshalBinary()
		return answerSet, answer, err
	}
	f := faults{Code: callmodel.CodeOf(err), Message: err.Error()}
	if fields, ok := errors.AsType[callmodel.FieldErrors](err); ok {
		f.Fields = fields
	}
	answer, err = json.Marshal(&f)
	return answerFaults, answer, err
}

// Compile compiles a rule set in a process of its own, and returns the router and the
// set's binary form. Faults are those of
// routing.CompileAndPack. CodeUnavailable says that there was no such process, or that it
// ended before it had answered: as it does where there is not enough memory.
func Compile(ctx context.Context, text []byte) (*routing.Router, encoding.BinaryMarshaler, error) {
	kind, answer, err := ask(ctx, text)
	if err != nil {
		return nil, nil, err
	}
	if kind == answerFaults {
		var f faults
		if err := json.Unmarshal(answer, &f); err != nil {
			return nil, nil, unavailable("its answer can't be read: %w", err)
		}
		return nil, nil, f.err()
	}
	runtime.LockOSThread() // that has slept, so that the system gives way to those of calls
	defer runtime.UnlockOSThread()
	router, err := routing.CompileBinary(answer)
	if err != nil {
		return nil, nil, unavailable("its answer can't be read: %w", err)
	}
	return router, form(answer), nil
}

// form is a set in its binary form.
type form []byte

// MarshalBinary implements encoding.BinaryMarshaler.
func (f form) MarshalBinary() ([]byte, error) { return f, nil }

func unavailable(format string, args ...any) error {
	return callmodel.Errorf(callmodel.CodeUnavailable, "the process that compiles rules: "+format, args...)
}

// ask has the process compile the text. The thread that starts it and waits for it gives
// way to others, as the process does then, and ends with it: neither could be had back
// without a privilege. Other threads are as they were.
func ask(ctx context.Context, text []byte) (kind byte, answer []byte, err error) {
	if !Available() {
		return 0, nil, unavailable("this program can't be started as one: its main function doesn't call subprocess.Main")
	}
	onThreadThatEnds(func() {
		giveWay()
		kind, answer, err = run(ctx, text)
	})
	return kind, answer, err
}

// onThreadThatEnds calls f on a thread of its own, which ends then. The process's first
// thread never does: what was done to it would stay, and be the process's as others see it.
func onThreadThatEnds(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if onFirstThread() {
			onThreadThatEnds(f) // this one is held meanwhile
			runtime.UnlockOSThread()
			return
		}
		f()
	}()
	<-done
}

func run(ctx context.Context, text []byte) (kind byte, answer []byte, err error) {
	program, err := self()
	if err != nil {
		return 0, nil, unavailable("%w", err)
	}
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(own, program) //nolint:gosec // it is this one
	cmd.Args = []string{name}
	cmd.WaitDelay = endWait
	endWithUs(cmd)
	said := &start{}
	cmd.Stderr = said
	var size [8]byte
	binary.LittleEndian.PutUint64(size[:], uint64(len(text)))
	cmd.Stdin = io.MultiReader(bytes.NewReader(size[:]), bytes.NewReader(text))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, nil, unavailable("%w", err)
	}
	if err := cmd.Start(); err != nil {
		return 0, nil, unavailable("%w", err)
	}
	var first [1]byte
	if _, err = io.ReadFull(out, first[:]); err == nil {
		answer, err = readSized(out, routing.MaxFileBytes) // it is smaller than its text
	}
	if err != nil {
		cancel()
	}
	err = errors.Join(err, cmd.Wait())
	if ctx.Err() != nil {
		return 0, nil, context.Cause(ctx)
	}
	if err != nil {
		return 0, nil, unavailable("it ended before it had answered: %w; it said %q", err, said)
	}
	return first[0], answer, nil
}

// self is this program: the file that runs, whatever has been put in its place since.
func self() (string, error) {
	const running = "/proc/self/exe"
	if _, err := os.Stat(running); err == nil {
		return running, nil
	}
	return os.Executable()
}

// start keeps the first of what is written.
type start struct{ text []byte }

func (t *start) Write(p []byte) (int, error) {
	t.text = append(t.text, p[:min(len(p), logBytes-len(t.text))]...)
	return len(p), nil
}

func (t *start) String() string { return string(bytes.TrimSpace(t.text)) }

// readSized reads bytes behind their number.
func readSized(r io.Reader, most int64) ([]byte, error) {
	var size [8]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(size[:])
	if n > uint64(most) {
		return nil, fmt.Errorf("%d bytes, at most %d are read", n, most)
	}
	data := make([]byte, n)
	_, err := io.ReadFull(r, data)
	return data, err
}

func writeSized(w io.Writer, data []byte) error {
	var size [8]byte
	binary.LittleEndian.PutUint64(size[:], uint64(len(data)))
	if _, err := w.Write(size[:]); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}
