package process

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// CPU is the time that a process has used, user and system, in seconds.
func CPU(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(b, err)
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	total := 0
	for _, f := range fields[11:13] {
		ticks, err := strconv.Atoi(f)
		require.NoError(b, err)
		total += ticks
	}
	return float64(total) / 100
}

// DatabaseCPU is what PostgreSQL has used, with all its processes, in seconds.
func DatabaseCPU(b *testing.B, db *sql.DB) float64 {
	b.Helper()
	var backend int
	require.NoError(b, db.QueryRowContext(b.Context(), "SELECT pg_backend_pid()").Scan(&backend))
	fields := func(pid string) []int {
		text, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
		if err != nil {
			return nil // it has ended
		}
		var numbers []int
		for _, f := range strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))[1:] {
			n, _ := strconv.Atoi(f)
			numbers = append(numbers, n)
		}
		return numbers
	}
	server := fields(strconv.Itoa(backend))[0]
	all, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(b, err)
	ticks := 0
	for _, dir := range all {
		pid := filepath.Base(dir)
		switch f := fields(pid); {
		case len(f) < 14:
		case pid == strconv.Itoa(server):
			ticks += f[10] + f[11] + f[12] + f[13] // and its children's that have ended
		case f[0] == server:
			ticks += f[10] + f[11]
		}
	}
	return float64(ticks) / 100
}

// WriteLeg writes a leg of 8 kHz, 16 bit: that one, again and again.
func WriteLeg(b *testing.B, path string, leg []byte, length time.Duration) {
	b.Helper()
	const header = 44
	samples, want := leg[header:], int(length.Seconds()*16000)
	audio := bytes.Repeat(samples, want/len(samples)+1)[:want]
	h := bytes.Clone(leg[:header])
	for at, n := range map[int]int{4: want + header - 8, 40: want} {
		h[at], h[at+1], h[at+2], h[at+3] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
	}
	require.NoError(b, os.WriteFile(path, append(h, audio...), 0o600))
}
