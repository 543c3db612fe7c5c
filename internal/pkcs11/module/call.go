//go:build (darwin || linux || windows) && (amd64 || arm64)

package module

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// The places of functions in CK_FUNCTION_LIST.
const (
	cInitialize        = 0
	cFinalize          = 1
	cGetInfo           = 2
	cGetSlotList       = 4
	cGetSlotInfo       = 5
	cGetTokenInfo      = 6
	cOpenSession       = 12
	cCloseSession      = 13
	cLogin             = 18
	cLogout            = 19
	cGetAttributeValue = 24
	cFindObjectsInit   = 26
	cFindObjects       = 27
	cFindObjectsFinal  = 28
	cSignInit          = 42
	cSign              = 43

	functions = 68 // how many CK_FUNCTION_LIST has
)

// library is a loaded module.
type library struct {
	functions [functions]uintptr
}

// functionList is CK_FUNCTION_LIST: a version of two bytes, and pointers.
type functionList [pointersAt + functions*unsafe.Sizeof(uintptr(0))]byte

// load opens a shared library and asks it for its functions. Libraries run code of theirs as they are opened.
func load(path string) (*library, error) {
	getFunctionList, err := open(path, "C_GetFunctionList")
	if err != nil {
		return nil, err
	}
	var list *functionList
	var pinner runtime.Pinner
	pinner.Pin(&list)
	defer pinner.Unpin()
	r, _, _ := purego.SyscallN(getFunctionList, uintptr(unsafe.Pointer(&list)))
	if rv := code(ulong(r)); rv != ok {
		return nil, fmt.Errorf("C_GetFunctionList: %w", rv)
	}
	if list == nil {
		return nil, errors.New("C_GetFunctionList returned nothing")
	}
	l := new(library)
	const size = int(unsafe.Sizeof(uintptr(0)))
	for i := range l.functions {
		l.functions[i] = uintptr(number(list[pointersAt+i*size:][:size]))
	}
	return l, nil
}

// call calls a function. An argument is a number, or a buffer, of which the function gets the address; nil is NULL.
func (l *library) call(function int, args ...any) error {
	if l.functions[function] == 0 {
		return errFunctionNotSupported
	}
	var pinner runtime.Pinner
	defer pinner.Unpin()
	words := make([]uintptr, len(args))
	for i, arg := range args {
		switch arg := arg.(type) {
		case ulong:
			words[i] = uintptr(arg)
		case []byte:
			if len(arg) > 0 {
				pinner.Pin(&arg[0])
				words[i] = uintptr(unsafe.Pointer(&arg[0]))
			}
		}
	}
	r, _, _ := purego.SyscallN(l.functions[function], words...)
	runtime.KeepAlive(args)
	if rv := code(ulong(r)); rv != ok {
		return rv
	}
	return nil
}

// template encodes a CK_ATTRIBUTE array. Values are pinned until the pinner is unpinned, and C writes into them.
func template(pinner *runtime.Pinner, attributes []attribute) []byte {
	var b []byte
	for _, a := range attributes {
		var address uintptr
		if len(a.value) > 0 {
			pinner.Pin(&a.value[0])
			address = uintptr(unsafe.Pointer(&a.value[0]))
		}
		b = appendUlong(b, a.kind)
		b = appendNumber(b, uint64(address), int(unsafe.Sizeof(address)))
		b = appendUlong(b, ulong(len(a.value)))
	}
	return b
}
