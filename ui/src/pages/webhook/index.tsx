export { default } from "@/pages/webhook/Webhook";
