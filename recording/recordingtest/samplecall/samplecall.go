// Package samplecall holds the two legs of a phone call made of real speech,
// for demonstrations and tests. It imports only the standard library.
//
// The agent's leg begins the call and lasts 49.34 s; the customer's begins
// [CustomerOffset] later, at the answer, and is clipped at full scale in
// places, as real legs are. Both are 8 kHz, 16 bit, mono WAV. Where the audio
// comes from and under which licence is in [Notice].
package samplecall

import (
	_ "embed" // for the files
	"errors"
	"os"
	"path/filepath"
	"time"
)

//go:embed agent.wav
var agent string

//go:embed customer.wav
var customer string

//go:embed NOTICE.md
var notice string

// The sample call's numbers.
const (
	SampleRateHz   = 8000
	CustomerOffset = 2 * time.Second // when the customer's leg begins
	AgentFrames    = 394709          // 49.338625 s
	CustomerFrames = 378709          // ends with the agent's leg
)

// Agent is the agent's WAV file. It is a copy; the caller may change it.
func Agent() []byte { return []byte(agent) }

// Customer is the customer's WAV file. It is a copy; the caller may change it.
func Customer() []byte { return []byte(customer) }

// WriteLegs writes agent.wav and customer.wav into dir, and returns their paths.
func WriteLegs(dir string) (agentPath, customerPath string, err error) {
	const mode = 0o644
	agentPath, customerPath = filepath.Join(dir, "agent.wav"), filepath.Join(dir, "customer.wav")
	err = errors.Join(os.WriteFile(agentPath, Agent(), mode), os.WriteFile(customerPath, Customer(), mode))
	return agentPath, customerPath, err
}

// Notice is where the audio comes from and its licence, as Markdown.
func Notice() string { return notice }
