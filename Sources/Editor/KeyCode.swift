/// The private characters (C1 controls, which nobody types) that stand for keys with a meaning, and what libedit does for them.
enum KeyCode {
  static let submit: UInt32 = 0x80
  static let paste: UInt32 = 0x81
  static let previous: UInt32 = 0x82
  static let next: UInt32 = 0x83
  static let complete: UInt32 = 0x84
  static let left: UInt32 = 0x85
  static let right: UInt32 = 0x86
  static let home: UInt32 = 0x87
  static let end: UInt32 = 0x88
  static let delete: UInt32 = 0x89
  static let wordLeft: UInt32 = 0x8A
  static let wordRight: UInt32 = 0x8B
  static let deleteWordLeft: UInt32 = 0x8C
  static let deleteWordRight: UInt32 = 0x8D
  static let upperWord: UInt32 = 0x8E
  static let lowerWord: UInt32 = 0x8F
  static let undo: UInt32 = 0x90
  /// Changes nothing: lets libedit take the buffer in as we have changed it.
  static let refresh: UInt32 = 0x91

  private static func text(_ code: UInt32) -> String { Unicode.Scalar(code).map { String(Character($0)) } ?? "" }

  static let bindings: [(key: String, command: String)] = [
    (text(submit), "psh-submit"), (text(paste), "psh-paste"), (text(previous), "psh-previous"), (text(next), "psh-next"),
    (text(complete), "psh-complete"), (text(left), "ed-prev-char"), (text(right), "ed-next-char"), (text(home), "psh-home"),
    (text(end), "psh-end"), (text(delete), "ed-delete-next-char"), (text(wordLeft), "ed-prev-word"),
    (text(wordRight), "em-next-word"),
    (text(deleteWordLeft), "psh-kill-word"), (text(deleteWordRight), "psh-kill-next"), (text(upperWord), "em-upper-case"),
    (text(lowerWord), "em-lower-case"), (text(undo), "psh-undo"), (text(refresh), "psh-refresh"), ("^W", "psh-kill-word"),
    ("^D", "ed-delete-next-char"), ("^P", "psh-previous"),
    ("^N", "psh-next"),
    ("^J", "psh-submit"), ("^U", "psh-kill-start"), ("^K", "psh-kill-line"), ("^Y", "psh-yank"), ("^_", "psh-undo"), ("^A", "psh-home"),
    ("^E", "psh-end"),
  ]

  /// In vi's command mode too.
  static let viBindings = bindings.filter { $0.key.unicodeScalars.first.map { (0x80...0x9F).contains($0.value) } ?? false }

  /// They call programs, or read keys on their own.
  static let viLockedDown = ["v", ":", "^R"]

  static let lockedDown = ["^[x", "^[X", "^[p", "^[n", "^[w", "^[W", "^X^X", "^R", "^S", "^V", "^Q", "^@"]
}
