// Package samplecall holds the two legs of a phone call made of real speech,
// for demonstrations and tests. It imports nothing but embed.
//
// The agent's leg begins the call and lasts 49.34 s; the customer's begins
// [CustomerOffsetMS] later, at the answer, and is clipped at full scale in
// places, as real legs are. Both are 8 kHz, 16 bit, mono WAV. Where the audio
// comes from and under which licence is in [Notice].
package samplecall

import _ "embed" // for the files

//go:embed agent.wav
var agent string

//go:embed customer.wav
var customer string

//go:embed NOTICE.md
var notice string

// The sample call's numbers.
const (
	SampleRateHz     = 8000
	CustomerOffsetMS = 2000   // when the customer's leg begins
	AgentFrames      = 394709 // 49.338625 s
	CustomerFrames   = 378709 // ends with the agent's leg
)

// Agent is the agent's WAV file. It is a copy; the caller may change it.
func Agent() []byte { return []byte(agent) }

// Customer is the customer's WAV file. It is a copy; the caller may change it.
func Customer() []byte { return []byte(customer) }

// Notice is where the audio comes from and its licence, as Markdown.
func Notice() string { return notice }
