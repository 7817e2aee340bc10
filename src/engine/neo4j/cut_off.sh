# Gives all users but the portal's and the owner's a password that nobody knows. A name stays the JSON string that the
# server printed: inside it, a quotation mark is escaped, so its end cannot be mistaken.
answer=$(ask system 'SHOW USERS YIELD user')
whole "$answer"
printf '%s\n' "${answer#*\"data\":[}" | sed -e 's/},{"row":\[/}\n{"row":[/g' | while IFS= read -r line; do
  case $line in '{"row":['*) ;; *) continue ;; esac
  name=${line#*:[}; name=${name%%],\"meta\"*}
  case $name in "\"$DB4SCI_ADMIN\"" | "\"$DB4SCI_OWNER\"") continue ;; esac
  said=$(ask system 'ALTER USER $name SET PLAINTEXT PASSWORD $password SET PASSWORD CHANGE NOT REQUIRED' \
    "{\"name\":$name,\"password\":\"$DB4SCI_LOCKED\"}")
  whole "$said"
done
