// Package clitest has what tests of commands need: a terminal.
package clitest
