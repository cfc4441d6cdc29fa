-- The copilot for Neovim's own LSP client (0.7 or newer). Copy it to ~/.config/nvim/lua/ntp.lua, and in init.lua:
--
--   require('ntp').setup({ directory = '/path/to/ntp' })
--
-- directory   the checkout of ntp, after `make setup` there
-- overrides   further words of the server's command line, as { 'policy.checkpoint=PATH' }
--
-- In a .v file: <C-x><C-o> completes, K shows the goals, :lua vim.lsp.buf.code_action() offers "Try these",
-- and the diagnostics say which `admit.` can be closed. From 0.12, suggestions are also shown inline; <Tab> takes one.

local M = {}

local function command(options)
  local words = { options.directory .. '/.venv/bin/python', '-m', 'ntp.run', '+experiment=serve', 'serve.protocol=lsp' }
  return vim.list_extend(words, options.overrides or {})
end

local function attached(client, buffer)
  vim.bo[buffer].omnifunc = 'v:lua.vim.lsp.omnifunc'
  vim.keymap.set('n', 'K', vim.lsp.buf.hover, { buffer = buffer, desc = 'Goals' })
  if vim.lsp.inline_completion then
    vim.lsp.inline_completion.enable(true, { bufnr = buffer, client_id = client.id })
    vim.keymap.set('i', '<Tab>', function()
      return vim.lsp.inline_completion.get() and '' or '<Tab>'
    end, { buffer = buffer, expr = true, desc = 'Take the suggestion' })
  end
end

function M.setup(options)
  if not options or not options.directory then
    error("ntp: setup({ directory = '/path/to/ntp' }): the checkout is missing")
  end
  local config = {
    name = 'ntp',
    cmd = command(options),
    cmd_cwd = options.directory,
    root_dir = options.directory,
    on_attach = attached,
  }
  local id
  local function start(buffer)
    if vim.lsp.start then -- from 0.8; finds the client that is there
      return vim.lsp.start(config, { bufnr = buffer })
    end
    id = id and vim.lsp.get_client_by_id(id) and id or vim.lsp.start_client(config)
    vim.lsp.buf_attach_client(buffer, id)
  end
  vim.api.nvim_create_autocmd({ 'BufRead', 'BufNewFile' }, {
    pattern = '*.v',
    callback = function() vim.bo.filetype = 'coq' end,
  })
  vim.api.nvim_create_autocmd('FileType', {
    pattern = { 'coq', 'rocq' },
    callback = function(event) start(event.buf) end,
  })
end

return M
