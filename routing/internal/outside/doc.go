// Package outside asks services of others over HTTP while a call waits: package decider
// and package settings are what they ask for.
//
//	         ┌ first request ──────────────────▶┐
//	Ask ────▶│ second, if the first is late    ─▶├─▶ parse ──▶ answer
//	         └ neither, if the breaker is open   │      └ garbage ─▶┐
//	           or every place is taken           ▼                  ▼
//	                           budget over, failed ──▶ routing.FallbackError
//
// Whoever asks keeps good answers in a [Cache], and knows what else holds when there is
// neither.
package outside
