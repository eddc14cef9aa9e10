// libedit as Swift can call it: typed wrappers of its variadic calls, over a table of function pointers that is filled by dlopen
// when a prompt is needed: linked, it and the three libraries it brings cost every start. It keeps keys and buffer; it never draws (its output goes to
// /dev/null) and never resizes (el_resize in the middle of a line overflows its heap).
#ifndef PROMPTSH_CEDIT_H
#define PROMPTSH_CEDIT_H

#include <histedit.h>
#include <stddef.h>
#include <wchar.h>

/// Loads libedit once; later calls return the first answer. NULL when it is there, else what is wrong. Thread-safe.
const char *ce_load(void);

/// Asked for the next key: 1 with the character in `key`, 0 at the end of input.
typedef int (*ce_reader)(EditLine *editor, wchar_t *key);
/// A command bound to a key; returns one of the CC_ constants.
typedef unsigned char (*ce_function)(EditLine *editor, wint_t key);

/// An editor on a pseudo-terminal of its own, 400 x 1000, which nobody reads. NULL where none can be had, or no libedit: `problem`
/// says which, in words that live for ever.
EditLine *ce_create(const char *program, void *context, ce_reader reader, const char **problem);
void *ce_context(EditLine *editor);
/// The name must live as long as the editor.
void ce_add_function(EditLine *editor, const wchar_t *name, ce_function function);
/// `key` as libedit's `bind` takes it; a NULL command removes the binding.
void ce_bind(EditLine *editor, const wchar_t *key, const wchar_t *command);
/// The same for vi's command mode.
void ce_bind_alternate(EditLine *editor, const wchar_t *key, const wchar_t *command);
/// Whether the user's ~/.editrc asked for vi's keys.
int ce_is_vi(EditLine *editor);
/// Reads the user's ~/.editrc, if there is one.
void ce_source(EditLine *editor);
/// Whether lines are edited at all: `edit off` in ~/.editrc turns it off.
int ce_is_editing(EditLine *editor);

/// Edits one line; NULL at the end of input. `count` may be -1 on an error.
const wchar_t *ce_read(EditLine *editor, int *count);
/// The buffer and the cursor's offset in it, in characters.
const wchar_t *ce_line(EditLine *editor, size_t *length, size_t *cursor);
/// Replaces the whole buffer; the cursor stands at `cursor`.
void ce_replace(EditLine *editor, const wchar_t *text, size_t cursor);
void ce_move(EditLine *editor, size_t cursor);
int ce_insert(EditLine *editor, const wchar_t *text);
void ce_delete_before(EditLine *editor, int count);

#endif
