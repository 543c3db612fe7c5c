//go:build (darwin || linux || windows) && (amd64 || arm64)

package module

import (
	"fmt"
	"slices"
	"strings"

	"github.com/git-model-sign/git-model-sign/internal/pkcs11"
)

// Flags of CK_TOKEN_INFO.
const (
	ckfLoginRequired    = 0x000004
	ckfProtectedPath    = 0x000100
	ckfTokenInitialized = 0x000400
	ckfUserPINFinalTry  = 0x020000
	ckfUserPINLocked    = 0x040000
)

// Sizes that hold every structure on every system, with room to spare.
const (
	infoSize      = 128
	slotInfoSize  = 160
	tokenInfoSize = 320
)

// maxSlots is how many slots are looked at.
const maxSlots = 256

// slot is a slot with a token in it.
type slot struct {
	id                                      ulong
	description, manufacturer               string
	label, tokenManufacturer, model, serial string
	flags                                   ulong
}

// info is CK_INFO.
func (l *library) info() (manufacturer, description, version string, err error) {
	s := newStructure(infoSize)
	if err := l.call(cGetInfo, s.b); err != nil {
		return "", "", "", fmt.Errorf("C_GetInfo: %w", err)
	}
	s.bytes(2)
	manufacturer = s.text(32)
	s.ulong()
	description = s.text(32)
	v := s.bytes(2)
	return manufacturer, description, fmt.Sprintf("%d.%d", v[0], v[1]), nil
}

// slots are those that have an initialised token.
func (l *library) slots() ([]slot, error) {
	list, count := make([]byte, maxSlots*ulongSize), encoded(maxSlots)
	if err := l.call(cGetSlotList, ulong(1), list, count); err != nil {
		return nil, fmt.Errorf("C_GetSlotList: %w", err)
	}
	var out []slot
	for i := range int(min(number(count), maxSlots)) {
		s := slot{id: ulong(number(list[i*ulongSize:][:ulongSize]))}
		if l.describe(&s) == nil && s.flags&ckfTokenInitialized != 0 { // a token that was taken out is none
			out = append(out, s)
		}
	}
	return out, nil
}

// describe fills s by CK_SLOT_INFO and CK_TOKEN_INFO.
func (l *library) describe(s *slot) error {
	info := newStructure(slotInfoSize)
	if err := l.call(cGetSlotInfo, s.id, info.b); err != nil {
		return err
	}
	s.description, s.manufacturer = info.text(64), info.text(32)
	info = newStructure(tokenInfoSize)
	if err := l.call(cGetTokenInfo, s.id, info.b); err != nil {
		return err
	}
	s.label, s.tokenManufacturer, s.model, s.serial = info.text(32), info.text(32), info.text(16), info.text(16)
	s.flags = info.ulong()
	return nil
}

// matches says whether a URI means this slot and its token.
func (s *slot) matches(u *pkcs11.URI) bool {
	for _, pair := range [][2]string{
		{u.Token, s.label}, {u.Serial, s.serial}, {u.Manufacturer, s.tokenManufacturer}, {u.Model, s.model},
		{u.SlotDescription, s.description}, {u.SlotManufacturer, s.manufacturer},
	} {
		if pair[0] != "" && pair[0] != pair[1] {
			return false
		}
	}
	return u.SlotID == nil || *u.SlotID == uint64(s.id)
}

// String writes s as attributes of a URI.
func (s *slot) String() string {
	parts := []string{"token=" + escape(s.label)}
	if s.serial != "" {
		parts = append(parts, "serial="+escape(s.serial))
	}
	return strings.Join(append(parts, fmt.Sprintf("slot-id=%d", s.id)), ";")
}

// escape percent-encodes what may not stand in a URI's attribute as it is.
func escape(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c <= ' ' || c >= 0x7f || slices.Contains([]byte(`%;?&#"'\/`), c) {
			fmt.Fprintf(&b, "%%%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
