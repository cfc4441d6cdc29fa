;;; ntp.el --- Checked suggestions for Coq proofs -*- lexical-binding: t -*-

;; For eglot, which Emacs has from version 29; for Emacs 28 it is a package (Debian: elpa-eglot).
;; Copy this file into your load path, and into your init file put:
;;
;;   (require 'ntp)
;;   (setq ntp-directory "/path/to/ntp")     ; the checkout, after `make setup` there
;;   (add-hook 'coq-mode-hook #'eglot-ensure)
;;
;; In a .v file: M-x completion-at-point completes, eldoc shows the goals, M-x eglot-code-actions offers "Try
;; these", and flymake says which `admit.` can be closed.

;;; Code:

(require 'eglot)

(defgroup ntp nil "Checked suggestions for Coq proofs." :group 'tools)

(defcustom ntp-directory nil
  "The checkout of ntp, after `make setup' there."
  :type 'directory)

(defcustom ntp-overrides nil
  "Further words of the server's command line, as (\"policy.checkpoint=PATH\")."
  :type '(repeat string))

;; Without Proof General, .v files have no mode; they would be opened in Verilog's.
(unless (fboundp 'coq-mode)
  (define-derived-mode coq-mode prog-mode "Coq"
    "Coq files, as far as the copilot needs it."
    (setq-local comment-start "(* " comment-end " *)"))
  (add-to-list 'auto-mode-alist '("\\.v\\'" . coq-mode)))

(defun ntp-command (&optional _interactive)
  "The command line that starts the server."
  (unless ntp-directory
    (user-error "Set ntp-directory to the checkout of ntp"))
  `(,(expand-file-name ".venv/bin/python" ntp-directory)
    "-m" "ntp.run" "+experiment=serve" "serve.protocol=lsp" ,@ntp-overrides))

(add-to-list 'eglot-server-programs '(coq-mode . ntp-command))

(provide 'ntp)
;;; ntp.el ends here
