package dialimport

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

type tokenKind uint8

const (
	tokenEnd    tokenKind = iota
	tokenWord             // an identifier or a number, bare
	tokenName             // an identifier in quotes
	tokenString           // a text in quotes
	tokenSymbol           // one byte
)

type token struct {
	kind tokenKind
	text string
}

func (t token) is(word string) bool { return t.kind == tokenWord && strings.EqualFold(t.text, word) }

func (t token) symbol(c byte) bool { return t.kind == tokenSymbol && t.text[0] == c }

func (s *sqlDump) peek() (token, error) {
	if s.peeked == nil {
		t, err := s.next()
		if err != nil {
			return t, err
		}
		s.peeked = &t
	}
	return *s.peeked, nil
}

// next returns the next token; at the end of the file one of kind tokenEnd. Errors
// that wrap errRecord are of the text, others of the source.
func (s *sqlDump) next() (token, error) {
	if t := s.peeked; t != nil {
		s.peeked = nil
		return *t, nil
	}
	for {
		c, err := s.byte()
		if errors.Is(err, io.EOF) {
			return token{}, nil
		}
		if err != nil {
			return token{}, err
		}
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		case c == '#', c == '-' && s.ahead("-"):
			if err := s.comment("\n"); err != nil {
				return token{}, err
			}
		case c == '/' && s.ahead("*"):
			// What MySQL alone reads, /*!40000 … */, is left out like the rest.
			if err := s.comment("*/"); err != nil {
				return token{}, err
			}
		case c == '\'':
			return s.quoted(tokenString, c)
		case c == '"':
			return s.quoted(tokenName, c)
		case c == '`':
			s.escapes = true // nobody else quotes names so
			return s.quoted(tokenName, c)
		case wordByte(c):
			return s.word(c)
		default:
			return token{tokenSymbol, string(rune(c))}, nil
		}
	}
}

func wordByte(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == '-' || c == '+' || c == '.' || c >= 0x80 || c == '$'
}

func (s *sqlDump) byte() (byte, error) {
	c, err := s.in.ReadByte()
	if c == '\n' {
		s.line++
	}
	return c, err
}

func (s *sqlDump) ahead(text string) bool {
	b, err := s.in.Peek(len(text))
	return err == nil && string(b) == text
}

// comment reads to its end. That of a dump's head says who wrote it: "-- MySQL
// dump 10.13", "-- MariaDB dump".
func (s *sqlDump) comment(end string) error {
	const most = 128
	last := byte(0)
	s.buf = s.buf[:0]
	for {
		c, err := s.byte()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err != nil || c == end[len(end)-1] && (len(end) == 1 || last == end[0]) {
			text := strings.ToLower(string(s.buf))
			s.escapes = s.escapes || strings.Contains(text, "mysql dump") || strings.Contains(text, "mariadb dump")
			return nil
		}
		if len(s.buf) < most {
			s.buf = append(s.buf, c)
		}
		last = c
	}
}

// word reads a bare word. A dot ends one, unless it is a number.
func (s *sqlDump) word(first byte) (token, error) {
	if first == '.' {
		return token{tokenSymbol, "."}, nil
	}
	number := first >= '0' && first <= '9' || first == '-' || first == '+'
	s.buf = append(s.buf[:0], first)
	for {
		b, err := s.in.Peek(1)
		if err != nil || !wordByte(b[0]) || b[0] == '.' && !number {
			if err == nil && b[0] == '\'' && (string(s.buf) == "E" || string(s.buf) == "e") { // PostgreSQL's text with escapes
				_, _ = s.in.Discard(1)
				before := s.escapes
				s.escapes = true
				t, err := s.quoted(tokenString, '\'')
				s.escapes = before
				return t, err
			}
			return token{tokenWord, string(s.buf)}, nil
		}
		_, _ = s.in.Discard(1)
		if s.buf = append(s.buf, b[0]); len(s.buf) > maxRecord {
			return token{}, fmt.Errorf("%w: a word is longer than %d bytes", errRecord, maxRecord)
		}
	}
}

// quoted reads to the closing quote; two of them are one.
func (s *sqlDump) quoted(kind tokenKind, quote byte) (token, error) {
	s.buf = s.buf[:0]
	for {
		c, err := s.byte()
		if errors.Is(err, io.EOF) {
			return token{}, fmt.Errorf("%w: the file ends within quotes", errRecord)
		}
		if err != nil {
			return token{}, err
		}
		switch {
		case c == quote && s.ahead(string(rune(quote))):
			_, _ = s.in.Discard(1)
		case c == quote:
			return token{kind, string(s.buf)}, nil
		case c == '\\' && kind == tokenString && s.escapes:
			if c, err = s.byte(); err != nil {
				continue // the next byte says so
			}
			c = escaped(c)
		}
		if s.buf = append(s.buf, c); len(s.buf) > maxRecord {
			return token{}, fmt.Errorf("%w: a value is longer than %d bytes", errRecord, maxRecord)
		}
	}
}
